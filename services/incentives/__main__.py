"""python -m services.incentives api | worker | migrate | redrive <subject>"""

from services.incentives.service import service
from shared.run import main

main(service)
