package campaign

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// ContactID derives a contact's id from its natural key: "ct_" and 20 hex
// digits of SHA-256 over the length-prefixed campaign, object and person.
func ContactID(campaignID, objectID, externalID string) string {
	h := sha256.New()
	for _, s := range []string{campaignID, objectID, externalID} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	return "ct_" + hex.EncodeToString(h.Sum(nil)[:10])
}

// CommunicationID is the id of a contact's n-th communication, counted from 1.
func CommunicationID(contactID string, n int) string { return contactID + "-" + strconv.Itoa(n) }

// SessionID is the id of the session a communication opens.
func SessionID(communicationID string) string { return "ss_" + communicationID }

// LateSessionID is the id of the n-th session opened by a late reply.
func LateSessionID(communicationID string, n int) string {
	return SessionID(communicationID) + "-late" + strconv.Itoa(n)
}

// hashUnit maps the words to a number in [0, 1), the same on every machine.
func hashUnit(words ...string) float64 {
	h := sha256.New()
	for _, s := range words {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	return float64(binary.BigEndian.Uint64(h.Sum(nil))>>11) / (1 << 53)
}
