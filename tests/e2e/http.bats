#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The server of a replica as its clients see it: formats, limits, and what must not hurt it.

load helper

# serve [LINE...]: one replica of a shop, with these lines under `serve:`
serve() {
    make_master shop.db 20000
    sql "CREATE VIRTUAL TABLE item_text USING fts5 (name); INSERT INTO item_text SELECT name FROM item;
         CREATE TABLE odd (i INTEGER, r REAL, t TEXT, b BLOB, n);
         INSERT INTO odd VALUES (9223372036854775807, 0.1, 'a \"quoted\", ' || char(10) || 'text ☕', x'00ff', NULL)"
    if [ $# -eq 0 ]; then write_config; else
        local lines=() line
        for line in "$@"; do lines+=("  $line"); done
        write_config 'serve:' "${lines[@]}"
    fi
    publish
    run_shop --replicas 1
}
# code SQL [CURL-OPTIONS]: the HTTP status; the answer is in the file "answer", its head in "answer.head"
code() {
    local statement=$1
    shift
    rm -f answer
    curl -sS --max-time 60 -o answer -D answer.head -w '%{http_code}' -G "http://127.0.0.1:$PORT/query" \
        --data-urlencode "sql=$statement" "$@"
}
header() { # header NAME: its value in the last head
    tr -d '\r' <answer.head | sed -n "s/^$1: //Ip" | tail -n 1
}
alive() { # the replica answers at once, and is still the same process
    same "$(curl -sS --max-time 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/-/healthz")" 200
    same "$(query 'select 42')" 42
    ok effigy status shop --json
    field_is '.replicas[0].restarts' 0
}

@test "JSON, NDJSON and CSV, by Accept and by name" {
    serve
    statement='select i, r, t, b, n from odd'
    same "$(code "$statement")" 200
    same "$(header Content-Type | cut -d';' -f1)" application/json
    same "$(jq -c '.columns' answer)" '["i","r","t","b","n"]'
    grep -q 9223372036854775807 answer
    same "$(jq -r '.rows[0][1]' answer)" 0.1
    same "$(jq -r '.rows[0][2]' answer)" $'a "quoted", \ntext ☕'
    # shellcheck disable=SC2016
    same "$(jq -c '.rows[0][3:]' answer)" '[{"$base64":"AP8="},null]'
    same "$(jq -r .generation answer)" g1

    same "$(code 'select id, name from item order by id limit 3' -H 'Accept: application/x-ndjson')" 200
    same "$(jq -c . answer)" $'{"id":1,"name":"item 1"}\n{"id":2,"name":"item 2"}\n{"id":3,"name":"item 3"}'

    same "$(code "$statement" -H 'Accept: text/csv')" 200
    same "$(python3 -c 'import csv; print(list(csv.reader(open("answer", newline="")))[1][2])')" $'a "quoted", \ntext ☕'
    same "$(code 'select 1' -H 'Accept: image/png')" 406
    same "$(code 'select 1' --data-urlencode 'format=csv')" 200
    same "$(tr -d '\r' <answer)" $'1\n1'
}

@test "parameters are bound, in the URL, in a form and in JSON" {
    serve
    same "$(query 'select name from item where id = :id' --data-urlencode id=17)" 'item 17'
    same "$(query 'select name from item where id = ?' --data-urlencode 'params=[18]')" 'item 18'
    same "$(query "select :x" --data-urlencode "x='; drop table item; --")" "'; drop table item; --"
    same "$(get /query -d 'sql=select name from item where id = :id' -d id=19 -H 'Accept: text/csv' | tr -d '\r' |
        tail -n 1)" 'item 19'
    same "$(get /query -H 'Content-Type: application/json' \
        -d '{"sql": "select :a + 1, typeof(:b)", "params": {"a": 41, "b": null}}' | jq -c '.rows[0]')" '[42,"null"]'
    same "$(get /query -H 'Content-Type: application/sql' --data-binary 'select 43' | jq -c '.rows[0]')" '[43]'
}

@test "full-text search, joins, common table expressions and JSON functions work" {
    serve
    same "$(query "select count(*) from item_text where item_text match 'item AND 77'")" 1
    same "$(query 'with recursive n(i) as (select 1 union all select i+1 from n where i < 10) select sum(i) from n')" 55
    same "$(query "select json_extract('{\"a\":7}', '\$.a')")" 7
    same "$(query 'select count(*) from item a join item b using (id)')" 20000
}

@test "tables, schema, generation, health and metrics" {
    serve
    get /tables | jq -e '.. | strings | select(. == "item")' >/dev/null
    get /schema | grep -q 'CREATE TABLE item'
    same "$(get /-/generation | jq -r .generation)" g1
    for path in /-/healthz /-/readyz; do
        same "$(get $path -o /dev/null -w '%{http_code}')" 200
    done
    get /-/metrics >metrics
    grep -Eq '^# TYPE effigy_[a-z_]+ counter' metrics
    awk '!/^#/ && NF != 2 && !/{/ { bad = 1 } END { exit bad }' metrics
    same "$(get /nonsense -o /dev/null -w '%{http_code}')" 404
    same "$(get /query -X DELETE -o /dev/null -w '%{http_code}')" 405
}

@test "answers carry the generation and an ETag; a client that has one gets 304" {
    serve
    same "$(code 'select * from item limit 5')" 200
    etag=$(header ETag)
    [ -n "$etag" ]
    grep -qi '^effigy-generation: g1' answer.head
    same "$(code 'select * from item limit 5' -H "If-None-Match: $etag")" 304
    same "$(stat -c %s answer 2>/dev/null || echo 0)" 0
    same "$(code 'select * from item limit 6')" 200
    [ "$(header ETag)" != "$etag" ]
    # The next generation answers with another tag.
    sql "UPDATE item SET name = 'renamed' WHERE id = 1"
    publish
    ok effigy run shop
    same "$(code 'select * from item limit 5' -H "If-None-Match: $etag")" 200
    [ "$(header ETag)" != "$etag" ]
    grep -q renamed answer
}

@test "SQL that writes, attaches, loads or reads files is refused" {
    serve
    for statement in 'delete from item' "insert into state values ('x')" "update state set value = 'x'" \
        'drop table item' 'create table t (a)' 'create temp table t (a)' "attach '/etc/passwd' as p" \
        "attach ':memory:' as m" 'detach main' 'vacuum' "vacuum into '/tmp/x'" 'pragma journal_mode = wal' \
        'pragma query_only = off' 'pragma writable_schema = on' "select load_extension('x')" \
        "select writefile('/tmp/x', 'y')" "select readfile('/etc/passwd')" 'begin' 'reindex' 'analyze' \
        "insert into item_text (item_text) values ('rebuild')" \
        "select fts3_tokenizer('simple')" 'pragma mmap_size = 0' 'explain delete from item; delete from item'; do
        status_code=$(code "$statement")
        [[ $status_code =~ ^4[0-9][0-9]$ ]] || { echo "$status_code: $statement"; cat answer; return 1; }
    done
    same "$(query 'select count(*) from item')" 20000
    alive
}

@test "SQL that is wrong, empty, two statements, not UTF-8 or 10 MB long" {
    serve
    for statement in 'selct 1' '' ';' 'select * from nowhere' 'select 1; select 2' 'select (' "select '"; do
        same "$(code "$statement")" 400 "status of '$statement'"
    done
    jq -e . answer >/dev/null
    same "$(get '/query?sql=select%20%27%ff%fe%27' -o answer -w '%{http_code}')" 400
    same "$(get '/query?sql=%zz' -o answer -w '%{http_code}')" 400
    same "$(get '/query' -o answer -w '%{http_code}')" 400
    head -c 10000000 /dev/zero | tr '\0' ' ' >long
    same "$(get /query -H 'Content-Type: application/sql' --data-binary @long -o answer -w '%{http_code}' || true)" 413
    same "$(get /query -H 'Content-Type: application/json' -d '{"sql": ' -o answer -w '%{http_code}')" 400
    same "$(get /query -H 'Content-Type: application/json' --data-binary "$(printf '[%.0s' $(seq 5000))" -o answer \
        -w '%{http_code}')" 400
    alive
}

@test "a query that never ends is ended, and others do not notice" {
    serve 'max_time: 2s' 'workers: 2'
    forever='with recursive n(i) as (select 1 union all select i+1 from n) select count(*) from n'
    start=$SECONDS
    for n in 1 2; do
        (code "$forever" -o "bomb$n" -D /dev/null >"bomb$n.code") 3>&- &
    done
    sleep 0.3
    # Every worker is busy: health and metrics answer at once all the same.
    same "$(curl -sS --max-time 1 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/-/healthz")" 200
    curl -sS --fail --max-time 1 "http://127.0.0.1:$PORT/-/metrics" >/dev/null
    wait
    [ $((SECONDS - start)) -le 6 ]
    for n in 1 2; do
        [[ $(cat bomb$n.code) =~ ^(408|422|503|504|400|413)$ ]] || { cat bomb$n.code bomb$n; return 1; }
    done
    alive
}

@test "a gigabyte of an answer, a gigabyte of memory" {
    serve 'max_bytes: 1MiB' 'max_rows: 1000' 'max_heap: 16MiB'
    # More rows than allowed: cut, and the answer says so.
    same "$(code 'select * from item')" 200
    same "$(jq '.rows | length' answer)" 1000
    same "$(jq '.truncated' answer)" true
    same "$(code 'select name from item limit 1000')" 200
    same "$(jq '.truncated' answer)" false
    for statement in 'select randomblob(1000000000)' "select hex(zeroblob(500000000))" \
        "select replace(hex(zeroblob(100000)), '0', hex(zeroblob(5000)))" \
        'select group_concat(a.name || b.name) from item a, item b' \
        "select printf('%.*c', 1000000000, 'x')" \
        'select a.name from item a, item b order by random() limit 3' \
        "with recursive n(s) as (select 'x' union all select s || s from n) select * from n"; do
        status_code=$(code "$statement")
        echo "$status_code $(head -c 200 answer)"
        [ "$(stat -c %s answer)" -le 1200000 ]
        [ "$status_code" != 000 ]
    done
    pid=$(effigy status shop --json | jq .replicas[0].pid)
    peak=$(awk '/VmHWM/ { print $2 }' "/proc/$pid/status")
    echo "peak: $peak kB"
    [ "$peak" -le $((400 * 1024)) ]
    alive
}

@test "the client leaves: its query is cancelled" {
    serve 'max_time: 60s' 'workers: 1'
    forever='with recursive n(i) as (select 1 union all select i+1 from n) select count(*) from n'
    capture curl -sS --max-time 1 -G "http://127.0.0.1:$PORT/query" --data-urlencode "sql=$forever"
    same "$status" 28
    # The only worker is free again at once.
    start=$SECONDS
    same "$(query 'select 42')" 42
    [ $((SECONDS - start)) -le 5 ]
}

@test "behind a full queue: 503 with Retry-After" {
    serve 'max_time: 4s' 'workers: 1' 'queue: 2'
    slow='with recursive n(i) as (select 1 union all select i+1 from n) select count(*) from n'
    for n in $(seq 12); do
        curl -sS --max-time 30 -D "head$n" -o /dev/null -w '%{http_code}' -G "http://127.0.0.1:$PORT/query" \
            --data-urlencode "sql=$slow" >"code$n" 3>&- &
    done
    wait
    grep -lx 503 code* >refused
    [ "$(wc -l <refused)" -ge 5 ]
    grep -qi '^retry-after: [0-9]' "head$(head -n 1 refused | tr -dc 0-9)"
    alive
}

@test "a thousand clients at once, all answered" {
    serve
    python3 - "$PORT" <<'PY'
import resource, selectors, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
port, clients = int(sys.argv[1]), 1000
request = (b"GET /query?sql=select%20name%20from%20item%20where%20id%3D77 HTTP/1.1\r\nHost: x\r\n"
           b"Accept: text/csv\r\nConnection: close\r\n\r\n")
sel, answers = selectors.DefaultSelector(), {}
sockets = []
for n in range(clients):  # all are open at once before any asks
    s = socket.create_connection(("127.0.0.1", port), timeout=30)
    sockets.append(s)
for s in sockets:
    s.sendall(request)
    s.setblocking(False)
    sel.register(s, selectors.EVENT_READ)
    answers[s] = b""
end, left = time.monotonic() + 40, clients
while left and time.monotonic() < end:
    for key, _ in sel.select(1):
        data = key.fileobj.recv(65536)
        if data:
            answers[key.fileobj] += data
        else:
            sel.unregister(key.fileobj)
            left -= 1
good = sum(a.startswith(b"HTTP/1.1 200") and b"item 77" in a for a in answers.values())
busy = sum(a.startswith(b"HTTP/1.1 503") for a in answers.values())
print(good, "answered,", busy, "told to come back,", clients - good - busy, "neither")
sys.exit(0 if good + busy == clients and good >= 100 else 1)
PY
    alive
}

@test "half-sent requests, garbage, slow ones and thousands of idle connections" {
    serve
    python3 - "$PORT" <<'PY'
import os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
port = int(sys.argv[1])
keep = []
for start in (b"", b"G", b"GET /query?sql=", b"GET / HTTP/1.1\r\nHost:", b"POST /query HTTP/1.1\r\nContent-Length: 100\r\n\r\nsql=",
              b"POST /query HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
              b"POST /query HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"POST /query HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
              b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", os.urandom(2000), b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
              b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000, b"\r\n" * 1000, b"GET http://[::1 HTTP/1.1\r\n\r\n"):
    for _ in range(40):
        s = socket.create_connection(("127.0.0.1", port), timeout=10)
        try:
            s.sendall(start)
        except OSError:
            pass
        keep.append(s)
for _ in range(500):
    keep.append(socket.create_connection(("127.0.0.1", port), timeout=10))
# All of them are still open: others are served all the same.
import http.client
c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
c.request("GET", "/query?sql=select%2042", headers={"Accept": "text/csv"})
assert b"42" in c.getresponse().read()
for s in keep:
    s.close()
PY
    alive
}

@test "a replica that is told to stop finishes what it has begun" {
    serve 'max_time: 20s'
    slow='with recursive n(i) as (select 1 union all select i+1 from n where i < 3000000) select count(*) from n'
    (query "$slow" >slow.answer) 3>&- &
    asker=$!
    sleep 0.2
    ok effigy stop shop
    wait $asker
    same "$(cat slow.answer)" 3000000
}

@test "the process has no rights: any user, no capabilities, a read-only root, no new privileges" {
    serve
    pid=$(effigy status shop --json | jq .replicas[0].pid)
    same "$(awk '/^Cap(Inh|Prm|Eff|Bnd|Amb):/ { print $2 }' "/proc/$pid/status" | sort -u)" 0000000000000000
    same "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$pid/status")" 1
    [ "$(id -u)" -ne 0 ] || [ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" -ne 0 ]
    awk '$5 == "/" { split($6, options, ","); for (i in options) if (options[i] == "ro") found = 1 } END { exit !found }' \
        "/proc/$pid/mountinfo"
    # Nothing but the three files of the image is in there.
    same "$(find "/proc/$pid/root/" -xdev -type f -printf '%P\n' | sort | xargs)" \
        'data/shop.db effigy-serve effigy/generation.json'
}
