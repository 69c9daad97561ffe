#include "app/logs.hpp"

#include "platform/observability/log.hpp"

namespace adtally::app {

void configure_logs(Configuration& configuration) {
    const config::Settings settings = configuration.current();
    observability::Level level = observability::Level::info;
    observability::parse_level(settings.text("log.level"), level);
    observability::configure_logging(settings.text("log.format") == "text"
                                         ? observability::LogFormat::text
                                         : observability::LogFormat::json,
                                     level);
    configuration.on_change([](const config::Settings& changed) {
        observability::Level now = observability::Level::info;
        if (observability::parse_level(changed.text("log.level"), now))
            observability::set_level(now);
    });
}

}  // namespace adtally::app
