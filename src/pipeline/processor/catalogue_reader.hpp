// Follows the topic ad-catalog into the loop's Catalogue: what campaigns bid now.
//
// A record's key is the campaign's id; its value {"campaign_id":7,"model":"CPM","bid_micros":2500}
// or empty, when the campaign is gone. A record that cannot be read is skipped and counted in
// `skipped()`: prices of other campaigns must not wait for it. A log without the topic has no bids.
//
// Each reader fills a catalogue of its own, which takes the other's place when it holds all that
// stood there at the reader's beginning: an event must be priced neither by half a catalogue nor by
// a bid that was replaced since, and what was removed meanwhile must be gone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "domain/catalogue.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::processor {

class CatalogueReader final : private eventlog::AssignmentListener {
public:
    CatalogueReader(eventlog::EventLog& log, std::string topic, domain::Catalogue& catalogue);
    // Reads what is there and returns; does not wait for more. The first time it waits a while for
    // all that stood there at its beginning; without that it fails.
    Status read_new();
    // Whether that has been.
    bool loaded() const { return loaded_; }
    std::int64_t skipped() const { return skipped_; }

private:
    void on_assigned(std::span<const Partition> partitions) override;
    void on_revoked(std::span<const Partition> partitions) override;

    Status open();
    Status failed(Error why);
    Status begin_anew(Error why);
    void take_all();
    void take(const eventlog::FetchedRecord& record);

    eventlog::EventLog& log_;
    std::string topic_;
    domain::Catalogue& catalogue_;
    domain::Catalogue fresh_;  // of a reader that has not read everything yet
    std::unique_ptr<eventlog::Consumer> consumer_;
    eventlog::FetchedBatch fetched_;
    Error why_;                            // the last reader is gone
    Deadline again_{SteadyTime{}};         // when there may be another
    std::map<Partition, Offset> missing_;  // the last record that this reader needs
    Deadline moves_by_{SteadyTime{}};      // while it needs some
    bool filled_ = false;                  // this reader's is the catalogue
    bool loaded_ = false;                  // some reader's is
    std::optional<Error> unsought_;        // a partition did not answer
    Milliseconds asked_for_{0};            // how long the partitions took to
    std::int64_t skipped_ = 0;
};

}  // namespace adtally::processor
