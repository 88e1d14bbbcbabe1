"""python -m services.credit api | worker | migrate | redrive <subject>"""

from services.credit.service import service
from shared.run import main

main(service)
