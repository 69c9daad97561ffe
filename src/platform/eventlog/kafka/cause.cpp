#include "platform/eventlog/kafka/cause.hpp"

#include <librdkafka/rdkafka.h>

namespace adtally::eventlog::kafka {
namespace {

enum Weight : int { nothing, ended, not_taken, refused };

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

Weight weight_of(int code, std::string_view detail) {
    switch (code) {
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
            return ended;
        case RD_KAFKA_RESP_ERR__TRANSPORT:
            // "Connect to … failed: …", "Connection setup timed out …"; or it was one already.
            return contains(detail, "Connect to ") || contains(detail, "setup timed out")
                       ? not_taken
                       : ended;
        case RD_KAFKA_RESP_ERR__RESOLVE:
        case RD_KAFKA_RESP_ERR__SSL:
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            return refused;
        default:
            return not_taken;
    }
}

// Without "(after 12ms in state CONNECT, 3 identical error(s) suppressed)".
std::string_view lasting(std::string_view detail) {
    if (const auto figures = detail.rfind(" (after "); figures != std::string_view::npos)
        detail = detail.substr(0, figures);
    return detail;
}

void complain(rd_kafka_t*, int code, const char* detail, void* opaque) {
    static_cast<Cause*>(opaque)->note(code, detail);
}

}  // namespace

void Cause::note(int code, std::string_view detail) {
    const Weight weight = weight_of(code, detail);
    std::lock_guard lock(mutex_);
    if (weight <= weight_)
        return;
    weight_ = weight;
    known_ = to_error(code, "Kafka", lasting(detail));
}

void Cause::clear() {
    std::lock_guard lock(mutex_);
    weight_ = nothing;
    known_.reset();
}

std::optional<Error> Cause::known() const {
    std::lock_guard lock(mutex_);
    return known_;
}

bool is_of_one_connection(int code) {
    switch (code) {
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
        case RD_KAFKA_RESP_ERR__RESOLVE:
        case RD_KAFKA_RESP_ERR__SSL:
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
            return true;
        default:
            return false;
    }
}

void tell(rd_kafka_conf_s* conf, Cause& cause) {
    rd_kafka_conf_set_opaque(conf, &cause);
    rd_kafka_conf_set_error_cb(conf, complain);
}

}  // namespace adtally::eventlog::kafka
