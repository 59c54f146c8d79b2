#!/bin/bash
# Walks one contact through a campaign on a running `carillon dev` (make run), in about 20 seconds: an e-mail without an
# answer, a talk on WhatsApp, a promise, the payment. You play the contact and the agent; nothing leaves the machine.
# Needs curl and python3. Other address or key: CARILLON_API=http://… CARILLON_ADMIN_KEY=… examples/quickstart.sh
set -euo pipefail
cd "$(dirname "$0")"
api=${CARILLON_API:-http://127.0.0.1:8080}/v1
key=${CARILLON_ADMIN_KEY:-$(cat ../.carillon/admin.key)}

# call PATH [CURL OPTIONS]: one request; field EXPRESSION: a value of the JSON `d` on stdin.
call() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer $key" "$api$1" "${@:2}"; }
field() { python3 -c "import json, sys; d = json.load(sys.stdin); print($1)"; }
# await PATH EXPRESSION: ask until the expression gives something.
await() {
  for _ in $(seq 150); do
    found=$(call "$1" | field "$2"); [ -n "$found" ] && return; sleep 0.2
  done
  echo "waited 30 s for $1" >&2; exit 1
}

echo "1. A campaign with four stages and three strategies"
id=$(call /campaigns --json '{"name": "Debt collection", "timezone": "Europe/Berlin"}' | field 'd["id"]')
campaign=/campaigns/$id
agent=$(call /agents --json "{\"name\": \"Anna $id\", \"kind\": \"external\"}" | field 'd["id"]')
call "/agents/$agent/start" --request POST >/dev/null
call $campaign/stages >/dev/null --json '{"name": "E-mail", "session_timeout": "3s", "delivery": {"channel": "email_notification",
  "integration": "outbox", "subject": "Your debt, {{ name }}", "template": "You owe {{ parameters.amount }}."}}'
call $campaign/stages >/dev/null --json '{"name": "WhatsApp", "delivery": {"channel": "whatsapp_meta",
  "agent": "'"$agent"'", "template_name": "debt", "start_state": "ask"}}'
call $campaign/stages >/dev/null --json '{"name": "Payment Promised", "delivery": {"channel": "email_notification",
  "integration": "outbox", "subject": "You promised", "template": "Please pay."}}'
call $campaign/stages >/dev/null --json '{"name": "Paid", "outcome": "success", "delivery": {"channel": "none", "start_state": "paid"}}'
for type in data_load aggregation agent_answer; do
  call $campaign/strategies --form name=$type --form type=$type --form file=@quickstart/$type.py >/dev/null
done

echo "2. One contact, and the start"
printf 'object_id,external_id,name,email,phone,amount\nC-1,U-1,John Doe,john@example.com,+14155550123,120 EUR\n' |
  call $campaign/imports --header 'Content-Type: text/csv' --data-binary @- >/dev/null
await $campaign/contacts '"".join(c["id"] for c in d["items"])'
contact=$found
call $campaign/start --request POST >/dev/null

echo "3. The e-mail stays unanswered; John answers on WhatsApp"
await "/outbox?contact_id=$contact" '"".join(m["id"] for m in d["items"] if m["channel"] == "whatsapp_meta")'
call "/outbox/$found/reply" --json '{"content": "I will pay on Friday"}' >/dev/null
await "/sessions?status=open&contact_id=$contact" '"".join(s["id"] for s in d["items"])'
session=$found
await $campaign/contacts/$contact 'd["counts"]["received"] or ""'

echo "4. The agent answers and ends the talk with a result; then the money comes"
call "/sessions/$session/answers" --json '{"content": "Thank you, I note your promise to pay."}' >/dev/null
await $campaign/contacts/$contact '"yes" if d["current_stage"] == "Payment Promised" else ""'
call "/sessions/$session/results" --json '{"status": "completed", "results": {"OutcomeStatus": "PROMISE_TO_PAY"}}' >/dev/null
await $campaign/contacts/$contact '"yes" if len(d["communications"]) == 3 else ""'
call $campaign/contacts --json '{"object_id": "C-1", "external_id": "U-1", "parameters": {"paid": true}}' >/dev/null
await $campaign/contacts/$contact '"yes" if d["status"] == "completed" else ""'

echo "5. What was decided, and why"
call "$campaign/contacts/$contact/timeline" | field '"\n".join("   " + e["at"][11:19] + "  " + e["summary"] for e in d["items"])'
echo "Its history: $(call $campaign/contacts/$contact | field 'd["temporal_url"]')"
