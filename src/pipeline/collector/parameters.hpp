// Events from query parameters and forms: the pixel's, the click's and the postback's way in.
//
// The rules of each field are the domain's (set_field, check_complete); what is decided here is
// what a list of parameters adds to them: none twice, not too many, cache-busters left aside, and
// what becomes of unknown ones.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/codec.hpp"
#include "domain/event.hpp"
#include "domain/validation.hpp"

namespace adtally::collector {

using Parameters = std::vector<std::pair<std::string, std::string>>;

// Takes a parameter out: its value, or nothing when it is not there. Of several, the first.
std::optional<std::string> take_parameter(Parameters& parameters, std::string_view name);
const std::string* find_parameter(const Parameters& parameters, std::string_view name);

// A name that is there twice makes the whole ambiguous.
std::optional<domain::Rejection> check_no_duplicates(const Parameters& parameters);

// Fills a cleared event whose type the endpoint decides; a `type` parameter must agree with it.
// Views in the event live as long as `parameters`, whose unknown names are given a prefix when they
// are kept.
std::optional<domain::Rejection> read_event(Parameters& parameters, domain::EventType type,
                                            domain::UnknownFields unknown, TimestampMs now,
                                            domain::Event& into);

}  // namespace adtally::collector
