"""python -m services.registry api | worker | migrate | redrive <subject>"""

import shared.starting  # noqa: F401  # before everything else
from services.registry.service import service
from shared.run import main

main(service)
