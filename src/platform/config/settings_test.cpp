#include "platform/config/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/config/test_support.hpp"

namespace adtally::config {
namespace {

TEST(Settings, DescribesItselfAsYamlWithSourcesAndWithoutSecrets) {
    const Loader loader(example_schema());
    const Result<Settings> settings =
        loader.load({.environment = {{"ADTALLY_ALERT_ENABLED", "off"}},
                     .overrides = {"collector.trusted-proxies=10.0.0.1, ::1, a b",
                                   "data-dir=it's # \"here\"", "collector.click-secret=hunter2"}});
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings.value().describe(),
              "alert.ctr-threshold: 0.1  # default\n"
              "alert.enabled: false  # environment ADTALLY_ALERT_ENABLED\n"
              "alert.pin: ******  # default\n"
              "collector.ack-deadline-ms: 2000  # default\n"
              "collector.click-secret: ******  # --set\n"
              "collector.trusted-proxies: [10.0.0.1, \"::1\", \"a b\"]  # --set\n"
              "collector.unknown-fields: reject  # default\n"
              "data-dir: \"it's # \\\"here\\\"\"  # --set\n");
}

TEST(Settings, WhatItDescribesReadsBackTheSame) {
    std::vector<Setting> schema = example_schema();
    std::erase_if(schema, [](const Setting& setting) { return setting.secret; });
    const Loader loader(schema);
    const Result<Settings> before =
        loader.load({.overrides = {"collector.trusted-proxies=10.0.0.0/8, ::1, a: b, -x, x:",
                                   "data-dir=C:\\dir \"x\"\nnext\tline # not a comment"}});
    ASSERT_TRUE(before) << before.error().message;
    const TemporaryFile file(before.value().describe());
    const Result<Settings> after = loader.load({.file = file.path()});
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_EQ(after.value().text("data-dir"), before.value().text("data-dir"));
    const auto [live, not_live] = loader.changes(before.value(), after.value());
    EXPECT_THAT(live, testing::IsEmpty());
    EXPECT_THAT(not_live, testing::IsEmpty());
}

TEST(Settings, TheSourceInAFileIsItsLine) {
    const Loader loader(example_schema());
    const TemporaryFile file("# first\nalert:\n  enabled: yes\n");
    const Result<Settings> settings = loader.load({.file = file.path()});
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_THAT(settings.value().describe(),
                testing::HasSubstr("alert.enabled: true  # " + file.path().string() + ":3\n"));
}

TEST(SettingsDeathTest, AskingForAnUnknownKeyOrTheWrongKindIsABug) {
    const Loader loader(example_schema());
    const Settings settings = loader.load({}).value();
    EXPECT_DEATH(settings.integer("collector.nothing"), "");
    EXPECT_DEATH(settings.integer("data-dir"), "");
    EXPECT_DEATH(settings.text("alert.enabled"), "");
}

TEST(DescribeSchema, IsAMarkdownTable) {
    const std::vector<Setting> all = example_schema();
    EXPECT_EQ(describe_schema({all[1], all[0], all[3]}),
              "| setting | meaning | allowed | default | live | environment |\n"
              "|---|---|---|---|---|---|\n"
              "| `collector.ack-deadline-ms` | How long an append may take before 503. | integer "
              "from 1 to 60000 ms | `2000` | yes | `ADTALLY_COLLECTOR_ACK_DEADLINE_MS` |\n"
              "| `collector.click-secret` | Signs click targets. | text | secret | no | "
              "`ADTALLY_COLLECTOR_CLICK_SECRET` |\n"
              "| `collector.unknown-fields` | What happens to a field \\| nobody knows. | one of "
              "reject, keep, off | `reject` | no | `ADTALLY_COLLECTOR_UNKNOWN_FIELDS` |\n");
}

}  // namespace
}  // namespace adtally::config
