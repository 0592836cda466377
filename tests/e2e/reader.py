# SPDX-License-Identifier: Apache-2.0
"""reader.py PORT new|kept OUTPUT

Reads `select value from state` through the published port until SIGTERM, over a new connection for each
read or over one that it keeps. Then writes to OUTPUT a JSON object: how often each value was read, and
what failed. A read has failed if it did not give a value, for whatever reason. OUTPUT.reads is made after
the first read.
"""
import http.client
import json
import signal
import sys
import time

PATH = "/query?sql=select%20value%20from%20state"


def main():
    port, mode, output = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear() or going.append(False))
    values, failures, longest = {}, [], 0.0
    connection = None
    while going[0]:
        started = time.monotonic()
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", PATH, headers={"Accept": "text/csv"})
            answer = connection.getresponse()
            body = answer.read().decode()
            if answer.status != 200:
                raise ValueError("HTTP %d: %s" % (answer.status, body[:200]))
            lines = body.split()
            if len(lines) != 2 or lines[0] != "value":
                raise ValueError("a strange answer: %r" % body[:200])
            values[lines[1]] = values.get(lines[1], 0) + 1
            if mode == "new" or answer.will_close:
                connection.close()
                connection = None
        except Exception as error:  # every kind of failure counts
            failures.append("%s: %s" % (type(error).__name__, error))
            if connection is not None:
                connection.close()
            connection = None
            time.sleep(0.01)
        if longest == 0.0:
            open(output + ".reads", "w").close()
        longest = max(longest, time.monotonic() - started)
    with open(output, "w") as file:
        json.dump({"values": values, "reads": sum(values.values()), "failed": len(failures),
                   "failures": failures[:20], "longest_seconds": round(longest, 3)}, file)


main()
