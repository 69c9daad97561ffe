#include "pipeline/processor/rebuild/lease.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <random>
#include <utility>

namespace adtally::rebuild {
namespace {

constexpr std::string_view renew_source = R"lua(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
)lua";
constexpr std::string_view release_source = R"lua(
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
)lua";

// Says whom to look for, and is never the same twice.
std::string new_holder(const Clock& clock) {
    char host[HOST_NAME_MAX + 1] = {};
    if (::gethostname(host, HOST_NAME_MAX) != 0)
        host[0] = '?';
    std::random_device random;
    return fmt::format("{}:{}:{}:{:08x}", host, ::getpid(), clock.wall().value, random());
}

}  // namespace

Lease::Lease(redis::Client& client, std::string key, const Clock& clock)
    : client_(client), key_(std::move(key)), clock_(clock) {}

Lease::~Lease() {
    if (holder_.empty())
        return;
    const redis::Script script{std::string(release_source)};
    // Not answered: it expires.
    (void)redis::evaluate(client_, script, std::array<std::string_view, 1>{key_},
                          std::array<std::string_view, 1>{holder_});
}

Status Lease::take() {
    const std::string holder = new_holder(clock_);
    const std::string span = std::to_string(lifetime.count());
    ADTALLY_TRY(const auto taken, client_.command({"SET", key_, holder, "NX", "PX", span}));
    if (taken.is_error())
        return Error{ErrorCode::unavailable, "Redis refuses the lease: " + taken.text};
    if (taken.is_nil()) {
        ADTALLY_TRY(const auto other, client_.command({"GET", key_}));
        return Error{ErrorCode::conflict,
                     fmt::format("another rebuild --apply runs (host:process {}): wait for its "
                                 "end; if it was killed, {} s",
                                 other.text, lifetime.count() / 1000)};
    }
    holder_ = holder;
    renewed_ = clock_.steady();
    return ok();
}

Status Lease::renew() {
    if (holder_.empty() || clock_.steady() - renewed_ < lifetime / 4)
        return ok();
    const redis::Script script{std::string(renew_source)};
    const std::string span = std::to_string(lifetime.count());
    ADTALLY_TRY(const auto reply,
                redis::evaluate(client_, script, std::array<std::string_view, 1>{key_},
                                std::array<std::string_view, 2>{holder_, span}));
    if (reply.is_error() || reply.integer != 1)
        return Error{ErrorCode::conflict,
                     "the lease of this rebuild --apply ran out meanwhile: compare anew"};
    renewed_ = clock_.steady();
    return ok();
}

}  // namespace adtally::rebuild
