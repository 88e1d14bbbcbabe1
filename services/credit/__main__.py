"""python -m services.credit api | worker | migrate | redrive <subject>"""

import shared.starting  # noqa: F401  # before everything else
from services.credit.service import service
from shared.run import main

main(service)
