// A Pub/Sub server in memory (Google's pstest), with a second port through which tests give orders over HTTP.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"context"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// Fault is what happens to requests of one method (Publish unless named): to all, or to those to Topic, or to those
// with a message whose attribute "fault" is Marked.
type Fault struct {
	Method  string `json:"method"`
	Topic   string `json:"topic"`
	Code    uint32 `json:"code"`
	Times   int    `json:"times"`
	Marked  string `json:"marked"`
	DelayMs int    `json:"delayMs"`
}

type faults struct {
	mutex sync.Mutex
	list  []*Fault
}

func (f *faults) next(request any) *Fault {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, one := range f.list {
		if one.Times != 0 && one.applies(request) {
			one.Times--
			return one
		}
	}
	return nil
}

func (f *Fault) applies(request any) bool {
	switch request := request.(type) {
	case *pubsubpb.GetTopicRequest:
		return f.Method == "GetTopic" && (f.Topic == "" || f.Topic == request.Topic)
	case *pubsubpb.PublishRequest:
		return f.Method == "" && f.appliesToPublish(request)
	}
	return false
}

func (f *Fault) appliesToPublish(request *pubsubpb.PublishRequest) bool {
	if f.Topic != "" && f.Topic != request.Topic {
		return false
	}
	if f.Marked == "" {
		return true
	}
	for _, message := range request.Messages {
		if message.Attributes["fault"] == f.Marked {
			return true
		}
	}
	return false
}

// React implements pstest.Reactor. The server holds its lock meanwhile, so a delay holds up everything.
func (f *faults) React(request any) (bool, any, error) {
	fault := f.next(request)
	if fault == nil {
		return false, nil, nil
	}
	time.Sleep(time.Duration(fault.DelayMs) * time.Millisecond)
	if fault.Code == 0 {
		return false, nil, nil
	}
	err := status.Error(codes.Code(fault.Code), "as the test wants it")
	if _, ok := request.(*pubsubpb.GetTopicRequest); ok {
		return true, &pubsubpb.Topic{}, err
	}
	return true, &pubsubpb.PublishResponse{}, err
}

type arrived struct {
	Data        []byte            `json:"data"`
	Attributes  map[string]string `json:"attributes"`
	OrderingKey string            `json:"orderingKey"`
	Topic       string            `json:"topic"`
}

func main() {
	port := flag.Int("port", 0, "port of the Pub/Sub API")
	control := flag.Int("control", 0, "port for orders of tests")
	flag.Parse()
	set := &faults{}
	server := pstest.NewServerWithAddress(fmt.Sprintf("127.0.0.1:%d", *port),
		pstest.ServerReactorOption{FuncName: "Publish", Reactor: set},
		pstest.ServerReactorOption{FuncName: "GetTopic", Reactor: set})
	defer server.Close()
	go func() {
		log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", *control), orders(server, set)))
	}()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}

func orders(server *pstest.Server, set *faults) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /topics", func(w http.ResponseWriter, r *http.Request) {
		topic := &pubsubpb.Topic{}
		if !read(w, r, topic) {
			return
		}
		if _, err := server.GServer.CreateTopic(context.Background(), topic); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	mux.HandleFunc("PUT /labels", func(w http.ResponseWriter, r *http.Request) {
		topic := &pubsubpb.Topic{}
		if !read(w, r, topic) {
			return
		}
		change := &pubsubpb.UpdateTopicRequest{Topic: topic, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels"}}}
		if _, err := server.GServer.UpdateTopic(context.Background(), change); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	mux.HandleFunc("PUT /faults", func(w http.ResponseWriter, r *http.Request) {
		var list []*Fault
		if !read(w, r, &list) {
			return
		}
		set.mutex.Lock()
		defer set.mutex.Unlock()
		set.list = list
	})
	mux.HandleFunc("GET /messages", func(w http.ResponseWriter, _ *http.Request) {
		list := []arrived{}
		for _, m := range server.Messages() {
			list = append(list, arrived{m.Data, m.Attributes, m.OrderingKey, m.Topic})
		}
		_ = json.NewEncoder(w).Encode(list)
	})
	return mux
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}
