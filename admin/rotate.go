package admin

import (
	"context"
	"log/slog"
	"time"

	"chit/models"
	"chit/repository"
)

// DefaultOverlap is how long the old secret works if the operator does not say. It leaves time to deploy
// the new secret.
const DefaultOverlap = 24 * time.Hour

// MaxOverlap is the longest time for which an old secret may work, for those who act over HTTP.
const MaxOverlap = 366 * 24 * time.Hour

// Rotation is a change of a client's secret.
type Rotation struct {
	Overlap      time.Duration // how long the old secret works, too; 0: it ends at once
	RevokeTokens bool          // also revoke all tokens of the client
}

// Rotated is the result of a rotation.
type Rotated struct {
	Client     *models.Client
	Secret     string      // the new one, which is stored nowhere
	OldExpires time.Time   // when the old secret ends; zero: it has ended
	Revocation *Revocation // of the client's tokens; nil: they were not revoked
}

// Rotate gives a client a new secret. Secrets that were retired earlier work until they expire. It returns
// models.ErrPublicClient or models.ErrNoSecret for a client that has no secret.
func (a Actions) Rotate(ctx context.Context, id string, rotation Rotation) (Rotated, error) {
	secret := a.newSecret()
	var before models.Client
	client, oldExpires, err := a.Clients.RotateSecret(ctx, id, repository.Rotation{
		SecretHash:   models.HashSecret(secret),
		Overlap:      rotation.Overlap,
		RevokeTokens: rotation.RevokeTokens,
	}, a.condition(&before))
	if err != nil {
		return Rotated{}, err
	}
	a.noteChange(ctx, secretRotated, &before, client, slog.String("overlap", rotation.Overlap.String()))
	rotated := Rotated{Client: client, Secret: secret, OldExpires: oldExpires}
	if rotation.RevokeTokens {
		rotated.Revocation = a.revocation(client)
		rotated.Revocation.unsettled = rotation.Overlap == 0
	}
	return rotated, nil
}
