// Package export_wasi_http_incoming_handler is what the world exports: it gives the requests of
// wasi:http to a handler of net/http. Bodies are streams both ways.
package export_wasi_http_incoming_handler

import (
	"errors"
	"io"
	"net/http"
	"strings"

	types "example/@NAME@/gen/imports/wasi_http_types"
	streams "example/@NAME@/gen/imports/wasi_io_streams"
	"example/@NAME@/gen/wit/types"
)

var handler http.Handler = http.NotFoundHandler()

// Serve says what answers requests.
func Serve(what http.Handler) { handler = what }

// Handle answers one request. Every instance has one at a time.
func Handle(incoming *types.IncomingRequest, out *types.ResponseOutparam) {
	writer := &responseWriter{out: out, header: http.Header{}}
	request, body, err := requestOf(incoming)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
	} else {
		handler.ServeHTTP(writer, request)
		body.Close()
	}
	writer.finish()
	incoming.Drop()
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

func requestOf(incoming *types.IncomingRequest) (*http.Request, *bodyReader, error) {
	method := incoming.Method()
	name := ""
	if int(method.Tag()) < len(methods) {
		name = methods[method.Tag()]
	} else {
		name = method.Other()
	}
	body := &bodyReader{body: incoming.Consume().Ok()}
	body.stream = body.body.Stream().Ok()
	request, err := http.NewRequest(name, incoming.PathWithQuery().SomeOr("/"), body)
	if err != nil {
		return nil, nil, err
	}
	fields := incoming.Headers()
	for _, entry := range fields.Entries() {
		request.Header.Add(entry.F0, string(entry.F1))
	}
	fields.Drop()
	request.Host = incoming.Authority().SomeOr(request.Header.Get("host"))
	request.Header.Del("host")
	request.RequestURI = request.URL.RequestURI()
	request.ContentLength = -1
	return request, body, nil
}

type bodyReader struct {
	body   *types.IncomingBody
	stream *streams.InputStream
}

func (b *bodyReader) Read(into []byte) (int, error) {
	if b.stream == nil {
		return 0, io.EOF
	}
	result := b.stream.BlockingRead(uint64(len(into)))
	if result.IsOk() {
		return copy(into, result.Ok()), nil
	}
	if result.Err().Tag() == streams.StreamError_Closed {
		return 0, io.EOF
	}
	return 0, errors.New("the request's body broke off")
}

func (b *bodyReader) Close() error {
	if b.stream != nil {
		b.stream.Drop()
		b.body.Drop()
		b.stream = nil
	}
	return nil
}

// responseWriter sends the head with the first byte, or with the status.
type responseWriter struct {
	out    *types.ResponseOutparam
	header http.Header
	body   *types.OutgoingBody
	stream *streams.OutputStream
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(status int) {
	if w.body != nil {
		return
	}
	fields := types.MakeFields()
	for name, values := range w.header {
		for _, value := range values {
			fields.Append(strings.ToLower(name), []byte(value))
		}
	}
	response := types.MakeOutgoingResponse(fields)
	response.SetStatusCode(uint16(status))
	w.body = response.Body().Ok()
	w.stream = w.body.Write().Ok()
	types.ResponseOutparamSet(w.out, wit_types.Ok[*types.OutgoingResponse, types.ErrorCode](response))
}

func (w *responseWriter) Write(data []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	const most = 4096 // A host takes so much at once.
	for at := 0; at < len(data); at += most {
		if w.stream.BlockingWriteAndFlush(data[at:min(at+most, len(data))]).IsErr() {
			return at, errors.New("the client has gone away")
		}
	}
	return len(data), nil
}

// Flush does nothing: all that is written is on its way.
func (w *responseWriter) Flush() {}

func (w *responseWriter) finish() {
	w.WriteHeader(http.StatusOK)
	w.stream.Drop()
	types.OutgoingBodyFinish(w.body, wit_types.None[*types.Fields]())
}
