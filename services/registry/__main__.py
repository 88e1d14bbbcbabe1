"""python -m services.registry api | worker | migrate | redrive <subject>"""

from services.registry.service import service
from shared.run import main

main(service)
