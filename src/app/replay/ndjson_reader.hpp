// Events one a line, as the collector takes them. Lines stay as they are, but for what was asked:
// a shifted timestamp, a prefix to the id, and an id for an event that has none (given here and not
// by the collector, so that sending a batch again does not make new events).
#pragma once

#include <random>
#include <string>
#include <vector>

#include "app/replay/line_source.hpp"
#include "app/replay/reader.hpp"
#include "domain/ids.hpp"

namespace adtally::replay {

class NdjsonReader final : public EventReader {
public:
    NdjsonReader(LineSource lines, std::string path, ReaderOptions options)
        : lines_(std::move(lines)),
          path_(std::move(path)),
          options_(std::move(options)),
          ids_((std::uint64_t{std::random_device{}()} << 32) ^ std::random_device{}()) {}

    Result<bool> next(std::vector<ReplayEvent>& into) override;

private:
    Result<bool> convert(const Line& line, std::vector<ReplayEvent>& into);

    LineSource lines_;
    std::string path_;
    ReaderOptions options_;
    SystemClock clock_;
    domain::UuidV7Generator ids_;
};

}  // namespace adtally::replay
