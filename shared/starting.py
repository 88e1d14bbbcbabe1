"""To be imported first by a process that serves: while a million objects are built that stay, none is looked for to throw away.

A fifth of the time of a start went there. `shared.run.settle_in` ends it.
"""

import gc

gc.disable()
