package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// stopTimeout is how long running requests may take to end when the server stops.
const stopTimeout = 2 * time.Second

// Start serves on addr, HOST:PORT, until ctx ends or stop is called. Empty means a free port on loopback, as does
// port 0 on any host. baseURL is the bare base URL for clients: origin and BasePath. stop waits until the server
// is down; it may be called more than once.
func (s *Server) Start(ctx context.Context, addr string) (baseURL string, stop func(), err error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("start sandbox %s: %w", s.name, err)
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.cfg.Logger.Error("sandbox stopped", "target", s.name, "error", err)
		}
	}()
	shutdown := sync.OnceFunc(func() {
		// The caller's context may have ended already, which is often why the server stops.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if server.Shutdown(bounded) != nil {
			_ = server.Close() // requests that outlast the time are cut off
		}
		<-ended
		s.cfg.Logger.Info("sandbox down", "target", s.name)
	})
	watch := context.AfterFunc(ctx, shutdown)
	baseURL = "http://" + reachable(listener.Addr()) + s.traits.basePath
	s.cfg.Logger.Info("sandbox up", "target", s.name, "url", baseURL)
	return baseURL, func() { watch(); shutdown() }, nil
}

// reachable gives an address a client can connect to: a server on all interfaces is reached on loopback.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return a.String()
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
}
