package deploy_test

import (
	"path/filepath"
	"strings"
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"
)

// The configuration of Envoy in docs/proxies.md has the fields and values that Envoy's schemas allow.
func TestEnvoyConfiguration(t *testing.T) {
	_, after, _ := strings.Cut(read(t, filepath.Join(root, "docs/proxies.md")), "```yaml\n")
	block, _, found := strings.Cut(after, "```\n")
	if !found {
		t.Fatal("docs/proxies.md has no configuration of Envoy")
	}
	document, err := yaml.YAMLToJSONStrict([]byte(block))
	if err != nil {
		t.Fatal(err)
	}
	var config bootstrap.Bootstrap
	if err := protojson.Unmarshal(document, &config); err != nil {
		t.Fatal(err)
	}
	if err := config.ValidateAll(); err != nil {
		t.Error(err)
	}
	if resources := config.StaticResources; len(resources.Listeners) != 1 || len(resources.Clusters) != 1 {
		t.Errorf("%v", resources)
	}
}
