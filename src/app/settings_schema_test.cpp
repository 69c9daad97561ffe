#include "app/settings_schema.hpp"

#include <gtest/gtest.h>
#include <stdexcept>

#include "app/launch_options.hpp"

namespace adtally::app {
namespace {

TEST(SettingsSchema, EveryDefaultIsValidAndEverySettingIsDescribed) {
    config::Loader loader(settings_schema());
    auto settings = loader.load({});
    ASSERT_TRUE(settings.has_value()) << settings.error().message;
    EXPECT_EQ(settings.value().integer("collector.port"), 8085);
    EXPECT_EQ(settings.value().integer("processor.port"), 8086);
    for (const config::Setting& setting : loader.schema())
        EXPECT_GE(setting.meaning.size(), 10u) << setting.key;
}

TEST(SettingsSchema, ThresholdsAndLogLevelAreLiveAndNothingElseIs) {
    std::vector<std::string> live;
    for (const config::Setting& setting : settings_schema())
        if (setting.live)
            live.push_back(setting.key);
    EXPECT_EQ(live, (std::vector<std::string>{
                        "log.level", "processor.ctr-open-percent", "processor.ctr-close-percent",
                        "processor.ctr-min-impressions", "processor.session-clicks"}));
}

TEST(PortOf, AddsTheOffsetAndRefusesWhatIsNoPort) {
    config::Loader loader(settings_schema());
    auto settings = loader.load({});
    ASSERT_TRUE(settings.has_value());
    LaunchOptions launch;
    launch.port_offset = 1000;
    EXPECT_EQ(port_of(settings.value(), "collector.port", launch), 9085);
    launch.port_offset = 60'000;
    EXPECT_THROW(port_of(settings.value(), "collector.port", launch), std::runtime_error);
    launch.port_offset = -9'000;
    EXPECT_THROW(port_of(settings.value(), "processor.port", launch), std::runtime_error);
}

}  // namespace
}  // namespace adtally::app
