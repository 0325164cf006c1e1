package admin

import (
	"strings"

	"chit/models"
)

// Restrictions say for whom the tokens of a client are, and from whom. A nil field stays as it is.
type Restrictions struct {
	CertificateBound *bool   // its tokens are bound to its certificate (RFC 8705 §3)
	DPoPBound        *bool   // its tokens are bound to a key (RFC 9449)
	AllowedResources *string // what it may name as resource (RFC 8707), separated by spaces; empty: nothing
	Resource         *string // of a resource server: its own identifiers, separated by spaces; empty: it sees every token
}

// apply changes a client.
func (r Restrictions) apply(client *models.Client) {
	if r.CertificateBound != nil {
		client.CertificateBound = models.Flag(*r.CertificateBound)
	}
	if r.DPoPBound != nil {
		client.DPoPBound = models.Flag(*r.DPoPBound)
	}
	if r.AllowedResources != nil {
		client.AllowedResources = resourceList(*r.AllowedResources)
	}
	if r.Resource != nil {
		client.Resource = resourceList(*r.Resource)
	}
}

func resourceList(text string) models.Text {
	return models.Text(strings.Join(models.ParseResources(text), " "))
}

// checkResources checks what can be checked without the client.
func (faults *Invalid) checkResources(r Restrictions) {
	for _, column := range []struct {
		field string
		value *string
	}{{"allowed_resources", r.AllowedResources}, {"resource", r.Resource}} {
		if column.value == nil {
			continue
		}
		for _, resource := range models.ParseResources(*column.value) {
			faults.add(!models.IsResource(resource), column.field, "%q is not an absolute URI without a fragment (RFC 8707 §2): write https://api.example.com", resource)
		}
	}
}

// checkRole checks that a client with identifiers of its own is a resource server.
func (faults *Invalid) checkRole(client *models.Client) {
	faults.add(client.Resource != "" && !client.IsResourceServer, "resource",
		"is of no use to a client that is not a resource server: set is_resource_server, too, or allowed_resources for what its tokens are for")
}

// RestrictionsView says for whom the tokens of a client are, and from whom, with the names of RFC 8705 §3.4, RFC 9449
// §5.2 and of the columns. What is false or null in the database is absent.
type RestrictionsView struct {
	CertificateBound bool   `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	DPoPBound        bool   `json:"dpop_bound_access_tokens,omitempty"`
	AllowedResources string `json:"allowed_resources,omitempty"` // separated by spaces
	Resource         string `json:"resource,omitempty"`          // separated by spaces
}

// ViewRestrictions describes for whom the tokens of a client are, and from whom.
func ViewRestrictions(client *models.Client) RestrictionsView {
	return RestrictionsView{bool(client.CertificateBound), bool(client.DPoPBound), string(client.AllowedResources), string(client.Resource)}
}
