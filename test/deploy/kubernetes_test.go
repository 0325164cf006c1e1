package deploy_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const manifests = root + "/deploy/kubernetes"

// cluster are the objects of deploy/kubernetes.
type cluster struct {
	deployment *appsv1.Deployment
	migrate    *batchv1.Job
	services   []*corev1.Service
	account    *corev1.ServiceAccount
	disruption *policyv1.PodDisruptionBudget
	autoscaler *autoscalingv2.HorizontalPodAutoscaler
	policy     *networkingv1.NetworkPolicy
	ingress    *networkingv1.Ingress
}

// objects decodes every file that the kustomization names. A field that the API of Kubernetes does not have is a fault.
func objects(t *testing.T) (c cluster) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, name := range resources(t) {
		file, err := os.Open(filepath.Join(manifests, name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		documents := yaml.NewDocumentDecoder(file)
		defer documents.Close()
		for {
			document := make([]byte, 64<<10)
			n, err := documents.Read(document)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			object, _, err := decoder.Decode(document[:n], nil, nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			c.keep(t, object)
		}
	}
	return c
}

func (c *cluster) keep(t *testing.T, object runtime.Object) {
	t.Helper()
	switch object := object.(type) {
	case *appsv1.Deployment:
		c.deployment = object
	case *batchv1.Job:
		c.migrate = object
	case *corev1.Service:
		c.services = append(c.services, object)
	case *corev1.ServiceAccount:
		c.account = object
	case *policyv1.PodDisruptionBudget:
		c.disruption = object
	case *autoscalingv2.HorizontalPodAutoscaler:
		c.autoscaler = object
	case *networkingv1.NetworkPolicy:
		c.policy = object
	case *networkingv1.Ingress:
		c.ingress = object
	default:
		t.Errorf("unexpected: %T", object)
	}
}

// resources returns the files of the kustomization, which are all files of the directory.
func resources(t *testing.T) (names []string) {
	t.Helper()
	for _, line := range regexp.MustCompile(`(?m)^  - (\S+\.yaml)$`).FindAllStringSubmatch(read(t, filepath.Join(manifests, "kustomization.yaml")), -1) {
		names = append(names, line[1])
	}
	files, _ := filepath.Glob(filepath.Join(manifests, "*.yaml")) // the pattern is well-formed
	if len(names) == 0 || len(files) != len(names)+1 {
		t.Fatalf("the kustomization has %d of %d files", len(names), len(files)-1)
	}
	return names
}

// Each object finds the others: by labels, names and ports.
func TestKubernetesObjectsFitTogether(t *testing.T) {
	c := objects(t)
	pods := labels.Set(c.deployment.Spec.Template.Labels)
	for what, selector := range map[string]*metav1.LabelSelector{
		"the deployment": c.deployment.Spec.Selector, "the disruption budget": c.disruption.Spec.Selector, "the network policy": &c.policy.Spec.PodSelector,
		"the spread": c.deployment.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector,
	} {
		compiled, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil || !compiled.Matches(pods) {
			t.Errorf("%s does not select the pods: %v", what, err)
		}
	}
	named := map[string]int32{}
	for _, port := range c.deployment.Spec.Template.Spec.Containers[0].Ports {
		named[port.Name] = port.ContainerPort
	}
	services := map[string]string{}
	for _, service := range c.services {
		if !labels.SelectorFromSet(service.Spec.Selector).Matches(pods) || labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(c.migrate.Spec.Template.Labels)) {
			t.Errorf("%s selects other pods", service.Name)
		}
		port := service.Spec.Ports[0]
		if named[port.TargetPort.StrVal] == 0 {
			t.Errorf("%s: no port %s", service.Name, port.TargetPort.StrVal)
		}
		services[service.Name] = port.Name
	}
	for _, rule := range c.policy.Spec.Ingress {
		if port := rule.Ports[0].Port.StrVal; named[port] == 0 || len(rule.From) == 0 {
			t.Errorf("the network policy: port %q from %v", port, rule.From)
		}
	}
	backend := c.ingress.Spec.Rules[0].HTTP.Paths[0].Backend.Service
	if backend.Name != "chit" || services["chit"] != backend.Port.Name || named["http"] != 8080 {
		t.Errorf("the ingress leads to %+v", backend)
	}
	if target := c.autoscaler.Spec.ScaleTargetRef; target.Kind != "Deployment" || target.Name != c.deployment.Name || target.APIVersion != "apps/v1" || c.deployment.Spec.Replicas != nil {
		t.Errorf("the autoscaler scales %+v", target)
	}
	if *c.autoscaler.Spec.MinReplicas < 2 || c.disruption.Spec.MaxUnavailable.IntVal != 1 {
		t.Error("a drained node could end all servers")
	}
}

// The pods have no rights, and get their secrets as files.
func TestKubernetesPodsAreConfined(t *testing.T) {
	c := objects(t)
	for name, pod := range map[string]corev1.PodSpec{"deployment": c.deployment.Spec.Template.Spec, "job": c.migrate.Spec.Template.Spec} {
		container := pod.Containers[0]
		if !*pod.SecurityContext.RunAsNonRoot || *pod.SecurityContext.RunAsUser != 65532 || pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: %+v", name, pod.SecurityContext)
		}
		if own := container.SecurityContext; *own.AllowPrivilegeEscalation || !*own.ReadOnlyRootFilesystem || !slices.Equal(own.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: %+v", name, own)
		}
		if *pod.AutomountServiceAccountToken || *c.account.AutomountServiceAccountToken || pod.ServiceAccountName != c.account.Name {
			t.Errorf("%s gets a token of Kubernetes", name)
		}
		if container.Resources.Requests.Cpu().IsZero() || container.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s: %+v", name, container.Resources)
		}
		mount, volume := container.VolumeMounts[0], pod.Volumes[0]
		if mount.Name != volume.Name || !mount.ReadOnly || volume.Secret == nil {
			t.Errorf("%s: %+v of %+v", name, mount, volume)
		}
		documented := read(t, filepath.Join(root, "README.md"))
		for _, variable := range container.Env {
			if file, is := strings.CutSuffix(variable.Name, "_FILE"); is {
				if !strings.HasPrefix(variable.Value, mount.MountPath+"/") || !strings.Contains(read(t, filepath.Join(manifests, "kustomization.yaml")), "--from-file="+filepath.Base(variable.Value)) {
					t.Errorf("%s: %s is %s", name, file, variable.Value)
				}
			}
			if strings.HasPrefix(variable.Name, "CHIT_") && !strings.Contains(documented, variable.Name) {
				t.Errorf("%s: there is no setting %s", name, variable.Name)
			}
		}
	}
}

// A pod gets requests while it is ready, and ends without losing one.
func TestKubernetesProbesAndEnd(t *testing.T) {
	pod := objects(t).deployment.Spec.Template.Spec
	server := pod.Containers[0]
	for path, probe := range map[string]*corev1.Probe{"/readyz": server.ReadinessProbe, "/healthz": server.LivenessProbe} {
		if probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != "http" {
			t.Errorf("%+v, want %s", probe.HTTPGet, path)
		}
	}
	if server.StartupProbe.HTTPGet.Path != "/healthz" || server.StartupProbe.FailureThreshold*server.StartupProbe.PeriodSeconds < 30 {
		t.Errorf("%+v", server.StartupProbe)
	}
	const delayAndTimeout = 12
	if need := server.Lifecycle.PreStop.Sleep.Seconds + delayAndTimeout; *pod.TerminationGracePeriodSeconds <= need {
		t.Errorf("the pod is killed after %d s, and may need %d s", *pod.TerminationGracePeriodSeconds, need)
	}
	if update := objects(t).deployment.Spec.Strategy.RollingUpdate; update.MaxUnavailable.IntVal != 0 || update.MaxSurge.IntVal != 1 {
		t.Errorf("%+v", update)
	}
}
