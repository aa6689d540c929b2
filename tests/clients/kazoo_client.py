"""An application with kazoo: it holds a lock below /locks/kazoo and writes to /written/kazoo.

Argument: the connect string. SIGTERM closes its session.
"""

import logging
import signal
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException

TIMEOUT_S = 15.0


def main():
    logging.basicConfig(stream=sys.stderr)
    client = KazooClient(hosts=sys.argv[1], timeout=TIMEOUT_S)
    client.add_listener(lambda state: state == KazooState.LOST and print("kazoo lost", flush=True))
    client.start(timeout=60)
    lock = client.Lock("/locks/kazoo", "story")
    lock.acquire()
    client.ensure_path("/written/kazoo")
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    writes = 0

    def write():
        nonlocal writes
        while not ended.is_set():
            try:
                client.set("/written/kazoo", str(writes + 1).encode())
                writes += 1
                time.sleep(0.05)
            except KazooException:
                time.sleep(0.05)

    threading.Thread(target=write, daemon=True).start()
    while not ended.wait(1):
        session, _ = client.client_id or (0, b"")
        held = "yes" if lock.is_acquired else "no"
        print(f"kazoo session {session:#x} writes {writes} held {held}", flush=True)
    client.stop()


main()
