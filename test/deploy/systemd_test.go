package deploy_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Systemd accepts the unit without a word, and rates its exposure at 2.0 or better.
func TestSystemdUnit(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	unit := filepath.Join(t.TempDir(), "chit.service")
	text := read(t, filepath.Join(root, "deploy/systemd/chit.service"))
	installed := strings.Replace(text, "ExecStart=/usr/local/bin/chit ", "ExecStart="+tool(t, "sh")+" ", 1)
	if installed == text {
		t.Fatal("the unit starts something else")
	}
	write(t, unit, installed, 0o644)
	if out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "chit.service") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := exec.Command(analyze, "security", "--offline=yes", "--threshold=20", unit).CombinedOutput(); err != nil || !strings.Contains(string(out), "Overall exposure level") {
		t.Errorf("%v: %s", err, out)
	}
}
