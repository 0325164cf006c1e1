package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notifySystemd tells systemd that the server is ready, and then as often as it asks for it that the public
// listener answers. It does nothing without systemd.
func (s *Server) notifySystemd(log *slog.Logger) {
	if told, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("systemd cannot be told that the server is ready", "cause", err.Error())
	} else if !told {
		return
	}
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the settings of the watchdog cannot be used, so systemd will end the server", "cause", err.Error())
	}
	if interval > 0 {
		s.background(func(ctx context.Context) { s.feedWatchdog(ctx, interval/3, log) })
	}
}

// feedWatchdog tells systemd that the server lives while /healthz answers. Otherwise systemd restarts it.
func (s *Server) feedWatchdog(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := s.answers(ctx, every); err != nil {
			log.Warn("the server does not answer itself, so systemd may restart it", "cause", err.Error())
			continue
		}
		_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) // if it is not received, the server is restarted
	}
}

// answers asks the public listener for /healthz. The certificate does not matter.
func (s *Server) answers(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/healthz", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the status of /healthz is %d", response.StatusCode)
	}
	return nil
}
