import subprocess, sys, time
from tests.integration.notifications.receivers import *
def test_speed(system, as_role):
    p = subprocess.Popen([sys.executable, "/tmp/recv.py"])
    try:
        time.sleep(2)
        r = Receiver("http://127.0.0.1:18999/hook")
        for n in range(5):
            subscribed(as_role("subscriber", client_id=f"c{n}"), r)
        t = time.perf_counter(); c = time.process_time()
        for k in range(8):
            happen(system, *[accepted(f"firm-{k}-{i}") for i in range(200)])
        print("append/s", 1600 / (time.perf_counter() - t), "cpu", 1600/(time.process_time() - c))
        t = time.perf_counter(); c = time.process_time()
        n = send(system)
        print("spread deliveries", n, n / (time.perf_counter() - t), "per cpu s", n / (time.process_time() - c))
        for k in range(4):
            happen(system, *[accepted(f"firm-{i%20}") for i in range(200)])
        t = time.perf_counter(); c = time.process_time()
        n = send(system)
        print("chains deliveries", n, n / (time.perf_counter() - t), "per cpu s", n / (time.process_time() - c))
    finally:
        p.terminate(); p.wait()
