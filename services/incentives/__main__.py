"""python -m services.incentives api | worker | migrate | redrive <subject>"""

import shared.starting  # noqa: F401  # before everything else
from services.incentives.service import service
from shared.run import main

main(service)
