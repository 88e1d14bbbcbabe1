#!/usr/bin/env bash
# A real single-node Kafka broker (KRaft) without Docker, for development, CI and fault tests.
#
#   kafka-local.sh fetch     collect the jars with Maven (once per version)
#   kafka-local.sh start     format the data folder if it is new, start, wait until the port answers
#   kafka-local.sh status    exit 0 and print the pid if it runs, else exit 1
#   kafka-local.sh stop      orderly stop (SIGTERM, then SIGKILL after KAFKA_STOP_S seconds)
#   kafka-local.sh kill      SIGKILL, for crash tests; the data folder stays
#   kafka-local.sh pause     SIGSTOP: a broker that is alive but answers nothing (resume with "resume")
#   kafka-local.sh resume    SIGCONT
#   kafka-local.sh run       format if new, then run in the foreground (for a supervisor)
#   kafka-local.sh clean     stop and delete the data folder
#   kafka-local.sh env       print KAFKA_BOOTSTRAP=host:port
#
# Settings (environment): KAFKA_LIB, KAFKA_DIR, KAFKA_PORT, KAFKA_CONTROLLER_PORT, KAFKA_HEAP, KAFKA_JVM,
# KAFKA_VERSION, KAFKA_PROFILE, KAFKA_LOG_LEVEL, KAFKA_START_S, KAFKA_STOP_S, KAFKA_EXTRA (a file of properties
# appended last, so that it wins), MVN, JAVA.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
version=${KAFKA_VERSION:-$(sed -n 's:.*<kafka\.version>\(.*\)</kafka\.version>.*:\1:p' "$here/pom.xml" | head -n 1)}
profile=${KAFKA_PROFILE:-kafka4}
lib=${KAFKA_LIB:-$here/target/kafka-$version}
dir=${KAFKA_DIR:-$here/target/run}
host=127.0.0.1
port=${KAFKA_PORT:-19092}
cport=${KAFKA_CONTROLLER_PORT:-19093}
heap=${KAFKA_HEAP:-"-Xms192m -Xmx384m"}
start_s=${KAFKA_START_S:-60}
stop_s=${KAFKA_STOP_S:-20}
java=${JAVA:-java}
mvn=${MVN:-mvn}
# A fixed id (22 characters, a URL-safe base64 of 16 bytes): a re-created data folder is the same "cluster".
cluster_id=${KAFKA_CLUSTER_ID:-T2ZmbGluZURldkthZmthMQ}

data=$dir/data
conf=$dir/server.properties
pidfile=$dir/kafka.pid
log=$dir/kafka.log

die() { printf 'kafka-local: %s\n' "$*" >&2; exit 1; }

pid() { # prints the pid if our broker runs
  local p
  [[ -s $pidfile ]] || return 1
  p=$(<"$pidfile")
  [[ $p =~ ^[0-9]+$ ]] && kill -0 "$p" 2>/dev/null || return 1
  # A recycled pid must not be taken for ours: the command line names our configuration file.
  if [[ -r /proc/$p/cmdline ]] && ! tr '\0' '\n' <"/proc/$p/cmdline" | grep -qxF -- "$conf"; then
    return 1
  fi
  printf '%s\n' "$p"
}

port_open() { (exec 3<>"/dev/tcp/$host/$1") 2>/dev/null; }

need_java() {
  local out major
  command -v "$java" >/dev/null || die "no java on PATH (Java 17 or newer is needed for Kafka 4.x)"
  out=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  major=${out:-0}
  (( major >= 17 )) || die "Java $major found; Kafka 4.x needs 17 or newer"
}

need_jars() {
  compgen -G "$lib/*.jar" >/dev/null || die "no jars in $lib; run: $0 fetch"
}

write_conf() {
  mkdir -p "$dir"
  cat >"$conf" <<CONF
# Written by kafka-local.sh at each start; put lasting changes in KAFKA_EXTRA.
process.roles=broker,controller
node.id=1
# A static one-voter quorum: "format" then needs no --standalone flag, on 3.9 and on 4.x alike.
controller.quorum.voters=1@$host:$cport
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://$host:$port,CONTROLLER://$host:$cport
advertised.listeners=PLAINTEXT://$host:$port
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$data

# One node: every internal topic has one replica; few partitions keep start-up and memory small.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1

# Topics are provisioned by the services, never by accident.
auto.create.topics.enable=false
num.partitions=3
group.initial.rebalance.delay.ms=0

# After kill -9 the old registration must lapse before the new process may register.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

# Small: the cleaner's table is allocated on the heap at start (128 MiB by default).
log.cleaner.dedupe.buffer.size=2097152
log.segment.bytes=16777216
log.index.size.max.bytes=1048576
log.retention.hours=48
num.network.threads=2
num.io.threads=2
background.threads=2
num.recovery.threads.per.data.dir=1
CONF
  if [[ -n ${KAFKA_EXTRA:-} ]]; then
    printf '\n' >>"$conf"
    cat -- "$KAFKA_EXTRA" >>"$conf"
  fi
}

jvm_args() { # fills the array "jvm"
  local extra=() heap_args=()
  read -r -a heap_args <<<"$heap"
  if [[ -n ${KAFKA_JVM:-} ]]; then read -r -a extra <<<"$KAFKA_JVM"; fi
  jvm=("${heap_args[@]}"
    -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:MaxDirectMemorySize=96m -XX:+ExitOnOutOfMemoryError
    -Djava.awt.headless=true -Duser.timezone=UTC
    "-Dkafka.logs.dir=$dir" "-Dkafka.log.level=${KAFKA_LOG_LEVEL:-WARN}")
  jvm+=("-Dlog4j2.configurationFile=$here/log4j2.properties")
  if (( ${#extra[@]} )); then jvm+=("${extra[@]}"); fi
  jvm+=(-cp "$lib/*")
}

storage_tool() { # the class kept its place through 4.x so far; look, rather than trust
  local jar c
  for c in kafka/tools/StorageTool org/apache/kafka/tools/StorageTool; do
    for jar in "$lib"/kafka*.jar; do
      if python3 - "$jar" "$c.class" <<'PY' 2>/dev/null
import sys, zipfile
sys.exit(0 if sys.argv[2] in zipfile.ZipFile(sys.argv[1]).namelist() else 1)
PY
      then
        printf '%s\n' "${c//\//.}"
        return 0
      fi
    done
  done
  printf 'kafka.tools.StorageTool\n'
}

format_once() {
  [[ -e $data/meta.properties ]] && return 0
  mkdir -p "$data"
  jvm_args
  "$java" "${jvm[@]}" "$(storage_tool)" format -t "$cluster_id" -c "$conf" >>"$log" 2>&1 \
    || { tail -n 20 "$log" >&2; die "formatting $data failed"; }
}

cmd_fetch() {
  command -v "$mvn" >/dev/null || die "no mvn on PATH"
  "$mvn" -B -q -C -f "$here/pom.xml" -P "$profile" "-Dkafka.version=$version" "-Dkafka.lib.dir=$lib" package
  compgen -G "$lib/kafka-clients-*.jar" >/dev/null || die "Maven finished, but $lib has no kafka-clients jar"
  printf 'kafka-local: %s jars in %s\n' "$(find "$lib" -name '*.jar' | wc -l)" "$lib"
}

cmd_start() {
  local p t
  if p=$(pid); then printf 'kafka-local: already running (pid %s)\n' "$p"; return 0; fi
  need_java; need_jars
  if port_open "$port"; then die "port $port is taken by another program"; fi
  if port_open "$cport"; then die "port $cport is taken by another program"; fi
  write_conf; format_once; jvm_args
  nohup "$java" "${jvm[@]}" kafka.Kafka "$conf" >>"$log" 2>&1 </dev/null &
  p=$!
  printf '%s\n' "$p" >"$pidfile"
  for (( t = 0; t < start_s * 5; t++ )); do
    # Not pid(): until the child has become java, its command line is still this script's.
    if ! kill -0 "$p" 2>/dev/null; then
      tail -n 30 "$log" >&2
      rm -f "$pidfile"
      die "the broker ended while starting; see $log"
    fi
    if port_open "$port"; then printf 'kafka-local: %s:%s up (pid %s)\n' "$host" "$port" "$p"; return 0; fi
    sleep 0.2
  done
  tail -n 30 "$log" >&2
  cmd_stop
  die "port $port did not open within $start_s s; see $log"
}

cmd_stop() {
  local p t
  if ! p=$(pid); then rm -f "$pidfile"; return 0; fi
  kill -CONT "$p" 2>/dev/null || true
  kill -TERM "$p" 2>/dev/null || true
  for (( t = 0; t < stop_s * 10; t++ )); do
    kill -0 "$p" 2>/dev/null || { rm -f "$pidfile"; return 0; }
    sleep 0.1
  done
  kill -KILL "$p" 2>/dev/null || true
  rm -f "$pidfile"
}

cmd_kill() {
  local p
  p=$(pid) || die "not running"
  kill -KILL "$p"
  while kill -0 "$p" 2>/dev/null; do sleep 0.05; done
  rm -f "$pidfile"
}

case ${1:-} in
  fetch)  cmd_fetch ;;
  start)  cmd_start ;;
  stop)   cmd_stop ;;
  kill)   cmd_kill ;;
  pause)  p=$(pid) || die "not running"; kill -STOP "$p" ;;
  resume) p=$(pid) || die "not running"; kill -CONT "$p" ;;
  status) p=$(pid) || { printf 'kafka-local: not running\n'; exit 1; }; printf '%s\n' "$p" ;;
  run)    need_java; need_jars; write_conf; format_once; jvm_args; exec "$java" "${jvm[@]}" kafka.Kafka "$conf" ;;
  clean)  cmd_stop; rm -rf -- "$dir" ;;
  env)    printf 'KAFKA_BOOTSTRAP=%s:%s\n' "$host" "$port" ;;
  *)      sed -n '2,/^set -e/{/^#/p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
