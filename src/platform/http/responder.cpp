// The right to answer once: see router.hpp.
#include "base/assert.hpp"
#include "platform/http/router.hpp"

namespace adtally::http {

Responder::~Responder() {
    if (sink_ == nullptr)
        return;
    sink_->respond(problem(Request{}, Problem{.status = 500,
                                              .code = "no_answer",
                                              .detail = "the request was dropped unanswered",
                                              .pointer = {}}));
}

void Responder::send(Response response) {
    ADTALLY_ASSERT(sink_ != nullptr);
    std::shared_ptr<ResponseSink> sink = std::move(sink_);
    sink->respond(std::move(response));
}

std::shared_ptr<BodyStream> Responder::stream(Response head) {
    ADTALLY_ASSERT(sink_ != nullptr);
    std::shared_ptr<ResponseSink> sink = std::move(sink_);
    return sink->stream(std::move(head));
}

}  // namespace adtally::http
