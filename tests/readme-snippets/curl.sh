API=${API:-http://127.0.0.1:4000/graphql}
JSON='Content-Type: application/json'
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# A guest session. With an account: mutation { login(input: { username: "…", password: "…" }) { token } }
TOKEN=$(curl -s $API -H "$JSON" -d '{ "query": "mutation { startGuestSession { token } }" }' | field token)
AUTH="Authorization: Bearer $TOKEN"

# Upload a photo and restore it.
ID=$(curl -s $API -H "$AUTH" \
  -F operations='{ "query": "mutation ($file: Upload!) { restorePhoto(input: { file: $file }) { restoration { id } } }", "variables": { "file": null } }' \
  -F map='{ "0": ["variables.file"] }' \
  -F 0=@samples/astronaut.jpg | field id)

# Follow it until it is done.
curl -sN $API -H "$AUTH" -H "$JSON" -H 'Accept: text/event-stream' \
  -d '{ "query": "subscription { restorationUpdated(id: \"'$ID'\") { status stage percent } }" }'

# The history.
curl -s $API -H "$AUTH" -H "$JSON" \
  -d '{ "query": "{ viewer { history(first: 10) { edges { node { id status photo { originalFilename } } } } } }" }'

# The result, by its signed link.
URL=$(curl -s $API -H "$AUTH" -H "$JSON" \
  -d '{ "query": "{ restoration(id: \"'$ID'\") { url } }" }' | field url)
curl -s -o restored.jpg "$URL"
