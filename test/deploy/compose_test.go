package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose returns the validated docker-compose.yml with these variables.
func compose(t *testing.T, env ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithEnv(env))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func service(t *testing.T, name string) types.ServiceConfig {
	t.Helper()
	found, err := compose(t).GetService(name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestServices(t *testing.T) {
	project := compose(t)
	if got, want := project.ServiceNames(), []string{"chit", "postgres", "redis"}; !slices.Equal(got, want) {
		t.Fatalf("services %v, want %v", got, want)
	}
	for name, service := range project.Services {
		if check := service.HealthCheck; check == nil || check.Disable || len(check.Test) < 2 {
			t.Errorf("%s has no health check", name)
		}
		if service.Restart != "unless-stopped" {
			t.Errorf("%s: restart %q", name, service.Restart)
		}
		if service.Privileged || service.NetworkMode == "host" || service.Pid != "" || service.Ipc != "" || len(service.CapAdd) > 0 {
			t.Errorf("%s has more rights than a container needs", name)
		}
		if !slices.Equal(service.CapDrop, []string{"ALL"}) || !slices.Equal(service.SecurityOpt, []string{"no-new-privileges:true"}) {
			t.Errorf("%s: cap_drop %v, security_opt %v", name, service.CapDrop, service.SecurityOpt)
		}
	}
}

// A service starts when the services that it depends on are healthy.
func TestStartInOrderOfHealth(t *testing.T) {
	for name, service := range compose(t).Services {
		want := map[string]int{"chit": 2}[name]
		if len(service.DependsOn) != want {
			t.Errorf("%s waits for %v", name, service.DependsOn)
		}
		for on, dependency := range service.DependsOn {
			if dependency.Condition != types.ServiceConditionHealthy || !dependency.Required {
				t.Errorf("%s waits for %s to be %s", name, on, dependency.Condition)
			}
		}
	}
}

// The only published port is that of the public listener, on loopback.
func TestPorts(t *testing.T) {
	for name, service := range compose(t).Services {
		if name != "chit" && len(service.Ports) > 0 {
			t.Errorf("%s publishes %v", name, service.Ports)
		}
	}
	chit := service(t, "chit")
	if len(chit.Ports) != 1 || chit.Ports[0].HostIP != "127.0.0.1" || chit.Ports[0].Target != 8080 {
		t.Errorf("chit publishes %+v", chit.Ports)
	}
	if ops := variable(chit, "CHIT_OPS_LISTEN"); ops != ":8081" {
		t.Errorf("the ops listener is at %q", ops)
	}
}

func TestImagesAndUsers(t *testing.T) {
	for name, want := range map[string]struct{ image, user string }{
		"chit":     {"", ""}, // built here and not pulled; the Dockerfile sets the user
		"postgres": {"postgres:17", "postgres"},
		"redis":    {"redis:7.4", "redis"},
	} {
		if got := service(t, name); got.Image != want.image || got.User != want.user {
			t.Errorf("%s: image %s, user %q", name, got.Image, got.User)
		}
	}
	for _, name := range []string{"chit", "redis"} {
		if !service(t, name).ReadOnly {
			t.Errorf("%s may write to its root file system", name)
		}
	}
}

// The engine does not kill Chit before it would have stopped by itself.
func TestStopGracePeriod(t *testing.T) {
	const delayAndTimeout = 12 * time.Second
	if got := service(t, "chit").StopGracePeriod; got == nil || time.Duration(*got) <= delayAndTimeout {
		t.Errorf("stop_grace_period %v, want more than %v", got, delayAndTimeout)
	}
}

func TestWhatIsKeptIsOnVolumes(t *testing.T) {
	for name, target := range map[string]string{"postgres": "/var/lib/postgresql/data", "redis": "/data"} {
		volumes := service(t, name).Volumes
		if len(volumes) != 1 || volumes[0].Type != types.VolumeTypeVolume || volumes[0].Source == "" || volumes[0].Target != target {
			t.Errorf("%s: %+v", name, volumes)
		}
	}
}

// Each service gets exactly the secrets that it needs, as files.
func TestSecrets(t *testing.T) {
	project := compose(t)
	for name, want := range map[string][]string{
		"chit":     {"database_url", "redis_url"},
		"postgres": {"postgres_password"},
		"redis":    {"redis_password"},
	} {
		var got []string
		for _, secret := range project.Services[name].Secrets {
			got = append(got, secret.Source)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s gets %v, want %v", name, got, want)
		}
	}
	directory, err := filepath.Abs(filepath.Join(root, "secrets"))
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range project.Secrets {
		if secret.File != filepath.Join(directory, name) || secret.Content != "" || secret.Environment != "" {
			t.Errorf("%s comes from %+v", name, secret)
		}
	}
}

var secretName = regexp.MustCompile(`PASSWORD|SECRET|TOKEN|AUTH|_URL`)

// Variables and command lines contain no secrets, only the paths of their files.
func TestNoSecretIsInTheFile(t *testing.T) {
	for name, service := range compose(t).Services {
		for variable, value := range service.Environment {
			if secretName.MatchString(variable) && (!strings.HasSuffix(variable, "_FILE") || value == nil || !strings.HasPrefix(*value, "/run/secrets/")) {
				t.Errorf("%s: %s is not a file's name", name, variable)
			}
		}
		command := strings.Join(append(service.Command, service.HealthCheck.Test...), " ")
		for _, match := range regexp.MustCompile(`(requirepass|REDISCLI_AUTH=|--pass|-a)\s*(\S+)`).FindAllStringSubmatch(command, -1) {
			if match[2] != "$(cat" {
				t.Errorf("%s: %s", name, match[0])
			}
		}
	}
	if url := regexp.MustCompile(`://[^ @]*:[^$@ /][^@ /]*@`).FindString(read(t, filepath.Join(root, "docker-compose.yml"))); url != "" {
		t.Errorf("a password in %s", url)
	}
}

func TestIssuerIsTheOperatorsChoice(t *testing.T) {
	for _, test := range []struct {
		env  []string
		want string
	}{
		{nil, "http://localhost:8080"},
		{[]string{"CHIT_ISSUER=https://auth.example.com"}, "https://auth.example.com"},
	} {
		if got := variable(compose(t, test.env...).Services["chit"], "CHIT_ISSUER"); got != test.want {
			t.Errorf("CHIT_ISSUER %q, want %q", got, test.want)
		}
	}
}

func TestComposeTakesTheFile(t *testing.T) {
	docker, err := exec.LookPath("docker")
	if err != nil || exec.Command(docker, "compose", "version").Run() != nil {
		t.Skip("docker compose is not installed: skipped")
	}
	cmd := exec.Command(docker, "compose", "config", "-q")
	cmd.Dir = root
	if err := run(cmd); err != nil {
		t.Error(err)
	}
}

func variable(service types.ServiceConfig, name string) string {
	if value := service.Environment[name]; value != nil {
		return *value
	}
	return ""
}

// healthCheck returns the command of a service's health check, with other paths than in the container.
func healthCheck(service types.ServiceConfig, paths *strings.Replacer) (*exec.Cmd, error) {
	switch test := service.HealthCheck.Test; test[0] {
	case "CMD":
		return exec.Command(paths.Replace(test[1]), test[2:]...), nil
	case "CMD-SHELL":
		return exec.Command("sh", "-c", paths.Replace(test[1])), nil
	default:
		return nil, fmt.Errorf("health check %q", test)
	}
}

// With the profile "tls" HAProxy passes requests on, and Chit takes the addresses of clients from it alone.
func TestProfileTLS(t *testing.T) {
	project := withProfile(t, "tls")
	proxy, err := project.GetService("haproxy")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(proxy.CapDrop, []string{"ALL"}) || len(proxy.CapAdd) > 0 || proxy.User != "haproxy" || !proxy.ReadOnly || proxy.HealthCheck == nil {
		t.Errorf("%+v", proxy)
	}
	if address := proxy.Networks["default"].Ipv4Address; address == "" || variable(project.Services["chit"], "CHIT_TRUSTED_PROXIES") != address {
		t.Errorf("the address of HAProxy is %q", address)
	}
}

func withProfile(t *testing.T, profile string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithProfiles([]string{profile}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// With the profile "observe" there are two more services. They are as confined as the others, publish a port
// on loopback only, and mount what they need of deploy/ read-only.
func TestProfileObserve(t *testing.T) {
	project := withProfile(t, "observe")
	for name, port := range map[string]uint32{"prometheus": 0, "grafana": 3000} {
		service, err := project.GetService(name)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(service.CapDrop, []string{"ALL"}) || len(service.SecurityOpt) == 0 || service.User == "" || service.HealthCheck == nil || !strings.Contains(service.Image, ":") {
			t.Errorf("%s: %+v", name, service)
		}
		if port == 0 && len(service.Ports) > 0 || port > 0 && (len(service.Ports) != 1 || service.Ports[0].HostIP != "127.0.0.1" || service.Ports[0].Target != port) {
			t.Errorf("%s publishes %+v", name, service.Ports)
		}
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil || !volume.ReadOnly || !strings.Contains(volume.Source, "/deploy/") {
				t.Errorf("%s mounts %+v: %v", name, volume, err)
			}
		}
	}
	if file := variable(project.Services["grafana"], "GF_SECURITY_ADMIN_PASSWORD__FILE"); file != "/run/secrets/grafana_password" {
		t.Errorf("the password of Grafana is in %q", file)
	}
}
