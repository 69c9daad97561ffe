#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "platform/config/settings.hpp"
#include "platform/config/test_support.hpp"

namespace adtally::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Sources of_file(const TemporaryFile& file) {
    return {.file = file.path()};
}

Settings loaded(const Loader& loader, const Sources& sources) {
    Result<Settings> settings = loader.load(sources);
    if (!settings)
        ADD_FAILURE() << settings.error().message;
    return settings ? std::move(settings).value() : Settings{};
}

// The message's lines, with the file's path taken away.
std::vector<std::string> errors(const Loader& loader, const Sources& sources) {
    const Result<Settings> settings = loader.load(sources);
    std::vector<std::string> out;
    if (settings)
        return out;
    EXPECT_EQ(settings.error().code, ErrorCode::invalid_argument);
    std::istringstream lines(settings.error().message);
    for (std::string line; std::getline(lines, line);) {
        if (sources.file && line.rfind(sources.file->string(), 0) == 0)
            line.replace(0, sources.file->string().size(), "FILE");
        out.push_back(line);
    }
    return out;
}

std::vector<std::string> file_errors(std::string_view content) {
    const Loader loader(example_schema());
    const TemporaryFile file(content);
    return errors(loader, of_file(file));
}

TEST(Loader, WithoutSourcesEverySettingHasItsDefault) {
    const Loader loader(example_schema());
    const Settings settings = loaded(loader, {});
    EXPECT_EQ(settings.integer("collector.ack-deadline-ms"), 2000);
    EXPECT_EQ(settings.text("collector.unknown-fields"), "reject");
    EXPECT_THAT(settings.text_list("collector.trusted-proxies"), IsEmpty());
    EXPECT_EQ(settings.number("alert.ctr-threshold"), 0.1);
    EXPECT_TRUE(settings.boolean("alert.enabled"));
}

TEST(Loader, NestedAndDottedKeysAreTheSame) {
    const Loader loader(example_schema());
    const TemporaryFile file(
        "collector:\n"
        "  ack-deadline-ms: 5\n"
        "  trusted-proxies: [10.0.0.1, '10.0.0.2,3']\n"
        "alert.ctr-threshold: 0.25\n"
        "alert:\n"
        "  enabled: no\n"
        "data-dir: \"\"\n");
    const Settings settings = loaded(loader, of_file(file));
    EXPECT_EQ(settings.integer("collector.ack-deadline-ms"), 5);
    EXPECT_THAT(settings.text_list("collector.trusted-proxies"),
                ElementsAre("10.0.0.1", "10.0.0.2,3"));
    EXPECT_EQ(settings.number("alert.ctr-threshold"), 0.25);
    EXPECT_FALSE(settings.boolean("alert.enabled"));
    EXPECT_EQ(settings.text("data-dir"), "");
}

TEST(Loader, StrongerSourcesWin) {
    const Loader loader(example_schema());
    const TemporaryFile file("collector: {ack-deadline-ms: 10}\ndata-dir: /from/file\n");
    Sources sources = of_file(file);
    EXPECT_EQ(loaded(loader, sources).integer("collector.ack-deadline-ms"), 10);
    sources.environment = {{"ADTALLY_COLLECTOR_ACK_DEADLINE_MS", "20"},
                           {"ADTALLY_COLLECTOR_TRUSTED_PROXIES", "::1, 10.0.0.1 ,,"},
                           {"PATH", "/usr/bin"}};
    EXPECT_EQ(loaded(loader, sources).integer("collector.ack-deadline-ms"), 20);
    sources.overrides = {"collector.ack-deadline-ms=30", "collector.ack-deadline-ms=40",
                         "data-dir=/a=b"};
    const Settings settings = loaded(loader, sources);
    EXPECT_EQ(settings.integer("collector.ack-deadline-ms"), 40) << "the last --set wins";
    EXPECT_EQ(settings.text("data-dir"), "/a=b");
    EXPECT_THAT(settings.text_list("collector.trusted-proxies"), ElementsAre("::1", "10.0.0.1"));
}

TEST(Loader, TakesSpringsBooleans) {
    const Loader loader(example_schema());
    for (const char* text : {"true", "True", "yes", "YES", "on", "'on'"}) {
        const TemporaryFile file(std::string("alert.enabled: ") + text + "\n");
        EXPECT_TRUE(loaded(loader, of_file(file)).boolean("alert.enabled")) << text;
    }
    for (const char* text : {"false", "FALSE", "no", "off"}) {
        const TemporaryFile file(std::string("alert.enabled: ") + text + "\n");
        EXPECT_FALSE(loaded(loader, of_file(file)).boolean("alert.enabled")) << text;
    }
    const TemporaryFile choice("collector.unknown-fields: off\n");
    EXPECT_EQ(loaded(loader, of_file(choice)).text("collector.unknown-fields"), "off");
}

TEST(Loader, TellsAllErrorsAtOnceWithPlaceAndRemedy) {
    const Loader loader(example_schema());
    const TemporaryFile file(
        "collector:\n"
        "  ack-deadline: 5\n"
        "  ack-deadline-ms: soon\n"
        "  unknown-fields: drop\n"
        "alert:\n"
        "  ctr-threshold: 7\n"
        "  enabled: maybe\n"
        "alert.enabled: true\n");
    Sources sources = of_file(file);
    sources.environment = {{"ADTALLY_DATADIR", "/x"}, {"ADTALLY_COLLECTOR_ACK_DEADLINE_MS", "0"}};
    sources.overrides = {"nonsense", "=x", "alert.ctr=1", "alert.enabled=2"};
    EXPECT_THAT(
        errors(loader, sources),
        ElementsAre(
            "FILE:2: collector.ack-deadline: unknown setting; did you mean "
            "collector.ack-deadline-ms?",
            "FILE:3: collector.ack-deadline-ms: `soon` is not an integer; allowed: integer from 1 "
            "to 60000 ms",
            "FILE:4: collector.unknown-fields: `drop` is not a choice; allowed: one of reject, "
            "keep, off",
            "FILE:6: alert.ctr-threshold: `7` is out of bounds; allowed: number from 0 to 1",
            "FILE:7: alert.enabled: `maybe` is not a boolean; allowed: true or false",
            "FILE:8: alert.enabled: set twice, first in line 7; remove one of them",
            "environment ADTALLY_COLLECTOR_ACK_DEADLINE_MS: collector.ack-deadline-ms: `0` is out "
            "of bounds; allowed: integer from 1 to 60000 ms",
            "environment: ADTALLY_DATADIR: unknown variable; did you mean ADTALLY_DATA_DIR?",
            "--set number 1: is not key=value; write --set key=value",
            "--set number 2: is not key=value; write --set key=value",
            "--set: alert.ctr: unknown setting; did you mean alert.pin?",
            "--set: alert.enabled: `2` is not a boolean; allowed: true or false"));
}

TEST(Loader, AKeyTwiceInOneMapIsAnError) {
    EXPECT_THAT(file_errors("data-dir: a\ndata-dir: b\n"),
                ElementsAre("FILE:2: data-dir: set twice, first in line 1; remove one of them"));
}

TEST(Loader, RefusesNumbersThatReadersUnderstandDifferently) {
    for (const char* text : {"010", "0x10", "1_000", "1e3", "5 ms", "+5", "", "12:30",
                             "99999999999999999999", "5.0"}) {
        const Loader loader(example_schema());
        const auto found =
            errors(loader, {.overrides = {std::string("collector.ack-deadline-ms=") + text}});
        ASSERT_EQ(found.size(), 1u) << text;
        EXPECT_THAT(found[0], HasSubstr("is not an integer")) << text;
    }
    for (const char* text : {"nan", "inf", "0,5", "1e999", "half"}) {
        const Loader loader(example_schema());
        const auto found =
            errors(loader, {.overrides = {std::string("alert.ctr-threshold=") + text}});
        ASSERT_EQ(found.size(), 1u) << text;
        EXPECT_THAT(found[0], HasSubstr("is not a number")) << text;
    }
}

TEST(Loader, WrongShapesAreErrors) {
    EXPECT_THAT(file_errors("data-dir: [a]\n"),
                ElementsAre("FILE:1: data-dir: a list is not expected here; allowed: text"));
    EXPECT_THAT(file_errors("data-dir:\n"), ElementsAre(HasSubstr("data-dir: has no value")));
    EXPECT_THAT(file_errors("data-dir: {a: 1}\n"),
                ElementsAre(HasSubstr("FILE:1: data-dir.a: unknown setting")));
    EXPECT_THAT(
        file_errors("collector:\n  trusted-proxies: [[a]]\n"),
        ElementsAre("FILE:2: collector.trusted-proxies: a list may hold plain values only"));
    EXPECT_THAT(file_errors("? [a]\n: b\n"), ElementsAre("FILE:1: a key must be plain text"));
    EXPECT_THAT(file_errors("- a\n"), ElementsAre(HasSubstr("FILE:1: the file must hold a map")));
    EXPECT_THAT(file_errors("data-dir: a\n---\ndata-dir: b\n"),
                testing::Contains(HasSubstr("more than one document")));
}

TEST(Loader, AnEmptySectionOrFileIsNoError) {
    EXPECT_THAT(file_errors(""), IsEmpty());
    EXPECT_THAT(file_errors("# nothing yet\n"), IsEmpty());
    EXPECT_THAT(file_errors("collector:\nalert: {}\n"), IsEmpty());
    EXPECT_THAT(file_errors("colector:\n"), ElementsAre(HasSubstr("colector: unknown setting")));
}

TEST(Loader, ABrokenFileIsToldWithItsLineAndTheRestIsStillChecked) {
    const Loader loader(example_schema());
    const TemporaryFile file("data-dir: a\ncollector: [unclosed\n");
    Sources sources = of_file(file);
    sources.overrides = {"alert.enabled=2"};
    const auto found = errors(loader, sources);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_THAT(found[0], testing::MatchesRegex("FILE:[0-9]+: not YAML: .+"));
    EXPECT_THAT(found[1], HasSubstr("alert.enabled"));
}

TEST(Loader, AnUnreadableFileIsToldWithTheReason) {
    const Loader loader(example_schema());
    const TemporaryFile file("");
    const auto missing = file.directory() / "missing.yaml";
    EXPECT_THAT(errors(loader, {.file = missing}),
                ElementsAre("FILE: cannot be read: No such file or directory; name a readable YAML "
                            "file with --config"));
    EXPECT_THAT(errors(loader, {.file = file.directory()}),
                ElementsAre(HasSubstr("it is a directory")));
    const TemporaryFile large(std::string(1024 * 1024 + 1, '#'));
    EXPECT_THAT(errors(loader, of_file(large)), ElementsAre(HasSubstr("larger than 1 MiB")));
}

TEST(Loader, AliasesThatMultiplyAreBounded) {
    std::string bomb = "a0: &a0 {k: v, l: v, m: v, n: v, o: v, p: v, q: v, r: v, s: v, t: v}\n";
    for (int i = 1; i <= 8; ++i) {
        const std::string before = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {";
        for (int j = 0; j < 10; ++j)
            bomb += std::string(j == 0 ? "" : ", ") + "k" + std::to_string(j) + ": " + before;
        bomb += "}\n";
    }
    EXPECT_THAT(file_errors(bomb), testing::Contains(HasSubstr("more than 10,000 values")));
    std::string deep;
    for (int i = 0; i < 40; ++i)
        deep += "{a: ";
    deep += "1" + std::string(40, '}');
    EXPECT_THAT(file_errors("x: " + deep), ElementsAre(HasSubstr("deeper than 16 levels")));
}

TEST(Loader, SecretsStandInNoMessage) {
    const Loader loader(example_schema());
    const TemporaryFile file("alert.pin: hunter2\n");
    Sources sources = of_file(file);
    sources.environment = {{"ADTALLY_ALERT_PIN", "hunter3"}};
    sources.overrides = {"alert.pin=99999", "hunter4"};
    const Result<Settings> settings = loader.load(sources);
    ASSERT_FALSE(settings);
    EXPECT_THAT(settings.error().message, HasSubstr("alert.pin: the value is not an integer"));
    EXPECT_THAT(settings.error().message, Not(HasSubstr("hunter")));
    EXPECT_THAT(settings.error().message, Not(HasSubstr("99999;")));
}

TEST(Loader, ChangesAreLiveOrNot) {
    const Loader loader(example_schema());
    const Settings before = loaded(loader, {});
    const auto after = [&](std::vector<std::string> overrides) {
        return loaded(loader, {.overrides = std::move(overrides)});
    };
    const auto [live, not_live] =
        loader.changes(before, after({"collector.ack-deadline-ms=7", "data-dir=/x",
                                      "collector.trusted-proxies=::1", "alert.ctr-threshold=0.1"}));
    EXPECT_THAT(live, ElementsAre("collector.ack-deadline-ms"));
    EXPECT_THAT(not_live, ElementsAre("collector.trusted-proxies", "data-dir"));
    const auto nothing = loader.changes(before, after({"alert.enabled=on"}));
    EXPECT_THAT(nothing.first, IsEmpty());
    EXPECT_THAT(nothing.second, IsEmpty()) << "on and true are the same value";
}

TEST(LoaderDeathTest, ASchemaThatContradictsItselfIsABug) {
    const Setting port{.key = "port", .kind = Kind::integer, .default_value = "80", .max = 65535};
    EXPECT_DEATH(Loader({port, port}), "");
    Setting out_of_bounds = port;
    out_of_bounds.default_value = "70000";
    EXPECT_DEATH(Loader({out_of_bounds}), "default_is_allowed");
    Setting same_variable = port;
    same_variable.key = "a.b";
    Setting same_variable_too = port;
    same_variable_too.key = "a-b";
    EXPECT_DEATH(Loader({same_variable, same_variable_too}), "environment_name");
}

}  // namespace
}  // namespace adtally::config
