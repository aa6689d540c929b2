// An application with go-zookeeper: it holds a lock below /locks/go and writes to /written/go.
//
// Argument: the connect string. SIGTERM closes its session.
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-zookeeper/zk"
)

const timeout = 15 * time.Second

func main() {
	conn, events, err := zk.Connect(strings.Split(os.Args[1], ","), timeout, zk.WithLogInfo(false))
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for event := range events {
			if event.State == zk.StateExpired {
				fmt.Println("go lost")
			}
		}
	}()
	everyone := zk.WorldACL(zk.PermAll)
	if err := zk.NewLock(conn, "/locks/go", everyone).Lock(); err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{"/written", "/written/go"} {
		if _, err := conn.Create(path, nil, 0, everyone); err != nil && err != zk.ErrNodeExists {
			log.Fatal(err)
		}
	}
	var writes int64
	go func() {
		for {
			number := fmt.Sprint(atomic.LoadInt64(&writes) + 1)
			if _, err := conn.Set("/written/go", []byte(number), -1); err == nil {
				atomic.AddInt64(&writes, 1)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM)
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-tick.C:
			fmt.Printf("go session 0x%x writes %d\n", uint64(conn.SessionID()), atomic.LoadInt64(&writes))
		case <-ends:
			conn.Close()
			return
		}
	}
}
