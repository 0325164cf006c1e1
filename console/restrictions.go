package console

import "chit/admin"

// restrictionMembers are the members of a client that say for whom its tokens are, and from whom.
var restrictionMembers = []string{
	"tls_client_certificate_bound_access_tokens", "dpop_bound_access_tokens", "allowed_resources", "resource",
}

// restrictionsIn returns the changes to them that an object describes.
func restrictionsIn(body *object) admin.Restrictions {
	return admin.Restrictions{
		CertificateBound: member[bool](body, "tls_client_certificate_bound_access_tokens", "true or false"),
		DPoPBound:        member[bool](body, "dpop_bound_access_tokens", "true or false"),
		AllowedResources: body.textOrNull("allowed_resources"),
		Resource:         body.textOrNull("resource"),
	}
}
