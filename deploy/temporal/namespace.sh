#!/bin/sh
# Makes the namespace with our retention and search attributes. Safe on every start.
set -eu
export TEMPORAL_ADDRESS TEMPORAL_NAMESPACE
if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention 30d
else
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d
fi
tries=0
until temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
  --name CampaignId --type Keyword \
  --name ObjectId --type Keyword \
  --name CampaignStage --type Keyword \
  --name ContactStatus --type Keyword \
  --name AttentionReason --type Keyword \
  --name NextActionAt --type Datetime; do
  tries=$((tries + 1)) # a new namespace takes some seconds to be known everywhere
  [ "$tries" -lt 15 ] || exit 1
  sleep 2
done
