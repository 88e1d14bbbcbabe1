"""python -m services.audits api | worker | migrate | redrive <subject>"""

import shared.starting  # noqa: F401  # before everything else
from services.audits.service import service
from shared.run import main

main(service)
