package enginetest

import (
	"net/http"
	"net/http/httputil"
)

// handler records each request and applies the fault meant for it.
func (p *Proxy) handler(engine *httputil.ReverseProxy) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, index, fault := p.record(r)
		if fault == nil {
			fault = &active{Fault: Fault{Do: Pass}}
		}
		if fault.Before != nil {
			fault.Before(request)
		}
		switch fault.Do {
		case Drop:
			panic(http.ErrAbortHandler)
		case Answer:
			fault.answer(w)
			return
		case Hold:
			fault.wait(r.Context())
		}

		through := *engine
		through.ModifyResponse = func(answer *http.Response) error {
			p.answered(index, request, answer.StatusCode)
			request.Status = answer.StatusCode
			if fault.After != nil {
				fault.After(request)
			}
			if fault.Do == DropAnswer {
				answer.Body.Close()
				panic(http.ErrAbortHandler)
			}
			return nil
		}
		through.ServeHTTP(w, r)
	})
}
