"""python -m services.audits api | worker | migrate | redrive <subject>"""

from services.audits.service import service
from shared.run import main

main(service)
