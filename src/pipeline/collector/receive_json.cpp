// POST /api/events and /api/events/batch.
#include <algorithm>
#include <utility>

#include "pipeline/collector/answers.hpp"
#include "pipeline/collector/collector.hpp"
#include "pipeline/collector/media_type.hpp"

namespace adtally::collector {
namespace {

constexpr std::size_t id_in_json = 40;        // "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
constexpr std::size_t completed_bytes = 256;  // what completing adds to an event, usually
constexpr std::size_t encoder_room = 768;     // what append_canonical wants free beside the texts

http::Response with_accept_post(http::Response response, std::string_view types) {
    response.headers.emplace_back("Accept-Post", types);
    return response;
}

void note_rejected(BatchSubmission& batch, std::size_t index, const domain::Rejection& rejection) {
    if (!batch.rejected.empty())
        batch.rejected += ',';
    batch.rejection_codes.push_back(rejection.code);
    batch.rejected += R"({"index":)";
    batch.rejected += std::to_string(index);
    batch.rejected += R"(,"code":")";
    batch.rejected += rejection.code;
    batch.rejected += '"';
    if (!rejection.field.empty()) {
        batch.rejected += R"(,"field":)";
        domain::append_json_string(rejection.field, batch.rejected);
    }
    batch.rejected += R"(,"message":)";
    domain::append_json_string(rejection.message, batch.rejected);
    batch.rejected += '}';
}

}  // namespace

void Collector::receive_event(const http::Request& request, http::Responder responder) {
    if (!is_json_type(media_type(request))) {
        books_.refused(Refusal::unsupported_media_type);
        responder.send(with_accept_post(refuse(request, Refusal::unsupported_media_type),
                                        "application/json, text/plain"));
        return;
    }
    if (!admit(request, responder, 1))
        return;
    Submission submission;
    if (auto rejection = prepare_json(request, submission)) {
        responder.send(reject(request, *rejection));
        admission_.leave(1);
        return;
    }
    http::Response success = event_accepted(submission.event_id);
    submit(request, std::move(responder), std::move(submission), std::move(success),
           Patience::acknowledge);
}

std::optional<domain::Rejection> Collector::prepare_json(const http::Request& request,
                                                         Submission& into) {
    into.received_at = clock_.wall();
    Lanes::Taken lane = lanes_.take();
    if (auto rejection =
            lane->decoder.decode_client(request.body, request.body_padding, options_.unknown_fields,
                                        into.received_at, lane->event))
        return rejection;
    return encoder_.add(*lane, defaults_of(request, lane->user_agent), into.received_at, into);
}

void Collector::receive_batch(const http::Request& request, http::Responder responder) {
    if (!is_batch_type(media_type(request))) {
        books_.refused(Refusal::unsupported_media_type);
        responder.send(with_accept_post(refuse(request, Refusal::unsupported_media_type),
                                        "application/json, application/x-ndjson, text/plain"));
        return;
    }
    if (request.body.size() > options_.max_batch_bytes) {
        books_.refused(Refusal::too_large);
        responder.send(refuse(request, Refusal::too_large));
        return;
    }
    // How many events there are is known after decoding; that there is no room for one, before.
    if (!admit(request, responder, 1))
        return;
    admission_.leave(1);

    BatchSubmission batch;
    decode_batch(request, batch);
    const std::size_t accepted = batch.submission.records.size();
    if (batch.too_many) {
        books_.refused(Refusal::too_large);
        responder.send(refuse(request, Refusal::too_large,
                              "a batch holds at most " + std::to_string(options_.max_batch_events) +
                                  " events; send it in parts; nothing of it was taken"));
        return;
    }
    if (accepted > 0 && !admit(request, responder, accepted))
        return;
    books_.batch(accepted + batch.rejection_codes.size());
    for (std::string_view code : batch.rejection_codes)
        books_.rejected(code);
    if (accepted == 0) {
        responder.send(batch_invalid(request, batch.rejected));
        return;
    }
    http::Response success = batch_accepted(accepted, batch.rejected, batch.event_ids);
    submit(request, std::move(responder), std::move(batch.submission), std::move(success),
           Patience::acknowledge);
}

// One event too many is asked for, so that the decoder delivers it and the batch is known to be
// too large, whatever stands behind it.
void Collector::decode_batch(const http::Request& request, BatchSubmission& into) {
    Submission& submission = into.submission;
    submission.received_at = clock_.wall();
    const TimestampMs now = submission.received_at;
    Lanes::Taken lane = lanes_.take();
    const RequestDefaults defaults = defaults_of(request, lane->user_agent);
    const std::size_t likely = std::min(options_.max_batch_events, request.body.size() / 128 + 1);
    submission.records.reserve(likely, request.body.size() +
                                           likely * (completed_bytes + defaults.user_agent.size()) +
                                           encoder_room);
    into.event_ids.reserve(likely * id_in_json);

    std::size_t next_index = 0;
    auto each = [&](std::size_t index, const domain::Event& event,
                    const std::optional<domain::Rejection>& invalid_event) {
        next_index = index + 1;
        if (index >= options_.max_batch_events) {
            into.too_many = true;
            return;
        }
        std::optional<domain::Rejection> too_large;
        if (!invalid_event) {
            lane->event = event;
            too_large = encoder_.add(*lane, defaults, now, submission);
        }
        if (invalid_event || too_large) {
            note_rejected(into, index, invalid_event ? *invalid_event : *too_large);
            return;
        }
        into.event_ids += submission.records.size() > 1 ? ",\"" : "\"";
        into.event_ids += submission.event_id;
        into.event_ids += '"';
    };
    auto broken =
        lane->decoder.decode_batch(request.body, request.body_padding, options_.unknown_fields, now,
                                   options_.max_batch_events + 1, each);
    if (into.too_many)
        return;
    // What came before the break is valid and is taken; the break has an entry of its own.
    if (!broken && next_index == 0)
        broken = domain::Rejection{"empty_batch", "", "the batch holds no event"};
    if (broken)
        note_rejected(into, next_index, *broken);
}

}  // namespace adtally::collector
