package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"carillon/campaign"
)

// ErrNoKey says that a secret was given but the store was opened without a key,
// or is sealed with a key the store does not have.
var ErrNoKey = errors.New("no key for secrets")

// boxVersion is the first byte of a sealed secret; the second names the key.
const boxVersion = 1

// box seals secrets with AES-256-GCM. A sealed secret opens only in the row and
// column it was sealed for.
type box struct {
	seals  byte
	opens  map[byte]cipher.AEAD
	usable bool
}

func newBox(keys [][]byte) (*box, error) {
	b := &box{opens: map[byte]cipher.AEAD{}}
	for i, key := range keys {
		if len(key) != 32 {
			return nil, fmt.Errorf("open store: secret key %d has %d bytes, not 32", i+1, len(key))
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("open store: secret key %d: %w", i+1, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("open store: secret key %d: %w", i+1, err)
		}
		sum := sha256.Sum256(key)
		if _, taken := b.opens[sum[0]]; taken {
			return nil, fmt.Errorf("open store: secret key %d has the short id of another one; make a new one", i+1)
		}
		b.opens[sum[0]] = aead
		if i == 0 {
			b.seals, b.usable = sum[0], true
		}
	}
	return b, nil
}

func (b *box) seal(where, secret string) ([]byte, error) {
	if !b.usable {
		return nil, ErrNoKey
	}
	return b.opens[b.seals].Seal([]byte{boxVersion, b.seals}, nil, []byte(secret), []byte(where)), nil
}

func (b *box) open(where string, sealed []byte) (string, error) {
	if len(sealed) < 2 || sealed[0] != boxVersion {
		return "", errors.New("not a sealed secret")
	}
	aead, ok := b.opens[sealed[1]]
	if !ok {
		return "", ErrNoKey
	}
	plain, err := aead.Open(nil, nil, sealed[2:], []byte(where))
	if err != nil {
		return "", errors.New("the secret does not belong here or was changed")
	}
	return string(plain), nil
}

// place names the row a secret is sealed for.
func place(owner, id, name string) string { return "secrets/" + owner + "/" + id + "/" + name }

// putSecrets sets the secrets of one record, "" removes one, and returns the
// names it has then.
func (c conn) putSecrets(ctx context.Context, owner, id string, secrets map[string]campaign.Secret) ([]string, error) {
	for name, secret := range secrets {
		if _, err := c.exec(ctx, `delete from secrets where owner = $1 and owner_id = $2 and name = $3`, owner, id, name); err != nil {
			return nil, err
		}
		if secret == "" {
			continue
		}
		sealed, err := c.s.box.seal(place(owner, id, name), secret.Reveal())
		if err != nil {
			return nil, err
		}
		if _, err := c.exec(ctx, `insert into secrets (owner, owner_id, name, sealed) values ($1, $2, $3, $4)`, owner, id, name, sealed); err != nil {
			return nil, err
		}
	}
	return collect(ctx, c, `select name from secrets where owner = $1 and owner_id = $2 order by name`, []any{owner, id},
		scanText)
}

func (s *Store) secrets(ctx context.Context, owner, id string) (map[string]campaign.Secret, error) {
	secrets := map[string]campaign.Secret{}
	err := s.read().each(ctx, `select name, sealed from secrets where owner = $1 and owner_id = $2`, []any{owner, id}, func(row scanner) error {
		var name string
		var sealed []byte
		if err := row.Scan(&name, &sealed); err != nil {
			return err
		}
		plain, err := s.box.open(place(owner, id, name), sealed)
		if err != nil {
			return fmt.Errorf("open secret %s: %w", name, err)
		}
		secrets[name] = campaign.Secret(plain)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read secrets of %s: %w", id, err)
	}
	return secrets, nil
}

// RotateSecrets seals every secret with the first key and returns how many were
// sealed with another one.
func (s *Store) RotateSecrets(ctx context.Context) (int, error) {
	n := 0
	err := s.write(ctx, func(c conn) error {
		n = 0
		type row struct {
			owner, id, name string
			sealed          []byte
		}
		rows, err := collect(ctx, c, `select owner, owner_id, name, sealed from secrets`, nil, func(r scanner) (x row, err error) {
			err = r.Scan(&x.owner, &x.id, &x.name, &x.sealed)
			return x, err
		})
		if err != nil {
			return err
		}
		for _, x := range slices.DeleteFunc(rows, func(x row) bool { return len(x.sealed) > 1 && x.sealed[1] == s.box.seals }) {
			where := place(x.owner, x.id, x.name)
			plain, err := s.box.open(where, x.sealed)
			if err != nil {
				return fmt.Errorf("open secret %s of %s: %w", x.name, x.id, err)
			}
			if x.sealed, err = s.box.seal(where, plain); err != nil {
				return err
			}
			if _, err := c.exec(ctx, `update secrets set sealed = $1 where owner = $2 and owner_id = $3 and name = $4`, x.sealed, x.owner, x.id, x.name); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("rotate secrets: %w", err)
	}
	return n, nil
}
