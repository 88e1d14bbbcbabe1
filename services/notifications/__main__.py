"""python -m services.notifications api | worker | migrate | redrive <subject>"""

from services.notifications.service import service
from shared.run import main

main(service)
