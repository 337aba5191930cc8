// What callers hear of the switch itself: prompts before a refusal, what is left, reminders before
// the end (M-14).
#include <string>
#include <tuple>
#include <utility>

#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

const std::vector<Field<ReminderConfig>>& reminder_fields() {
  using R = ReminderConfig;
  static const std::vector<Field<R>> fields = {
      {"sound", "WAV file, tone:NAME/COUNTRY or none", "required",
       "What is heard; a tone for 2 s. `none`: nothing, also where the account has a reminder.",
       [](Reader& r, const Json& v, R& one) {
         if (!r.string(v, one.sound, 1024)) return;
         if (one.sound.empty()) r.fail("\"\" is no sound; none says that there shall be none");
         if (one.sound == "none") one.sound.clear();
       }},
      {"to", "caller|callee|both", "caller", "Who hears it.",
       [](Reader& r, const Json& v, R& one) {
         r.choice<Hearers>(
             v, {{"caller", Hearers::caller}, {"callee", Hearers::callee}, {"both", Hearers::both}},
             one.to);
       }},
      {"times", "integer 1..10", "1", "How often, with a second between.",
       [](Reader& r, const Json& v, R& one) { r.number(v, 1, 10, one.times); }},
      {"before_s", "integer 1..3600", "reminder_before_s", "How long before the end.",
       [](Reader& r, const Json& v, R& one) { r.number(v, 1, 3600, one.before_s); }},
      {"of", "money|time|both", "both",
       "Which end: that of the money, packages and limits of who pays, or that of `max_call_s`.",
       [](Reader& r, const Json& v, R& one) {
         std::pair<bool, bool> ends{true, true};
         r.choice<std::pair<bool, bool>>(
             v, {{"money", {true, false}}, {"time", {false, true}}, {"both", {true, true}}}, ends);
         std::tie(one.of_money, one.of_time) = ends;
       }},
      {"says", "none|minutes|amount", "none",
       "What the caller hears in the place of the sound, in its `language`: how long the call can "
       "last, or the money of who pays. A callee hears the time in either case. The sound is heard "
       "where it cannot be spoken.",
       [](Reader& r, const Json& v, R& one) { read_remaining(r, v, one.says); }},
  };
  return fields;
}

void read_reminder(Reader& r, const Json& v, std::optional<ReminderConfig>& reminder) {
  ReminderConfig& one = reminder.emplace();
  read_object(r, v, reminder_fields(), {"sound"}, one);
  if (one.says == Remaining::none || !one.sound.empty() || !v.contains("sound")) return;
  Reader::Step step(r, "says");
  r.fail("a reminder of the sound \"none\" says nothing");
}

void read_remaining(Reader& r, const Json& v, Remaining& remaining) {
  r.choice<Remaining>(
      v,
      {{"none", Remaining::none}, {"minutes", Remaining::minutes}, {"amount", Remaining::amount}},
      remaining);
}

void read_remaining(Reader& r, const Json& v, std::optional<Remaining>& remaining) {
  r.choice<std::optional<Remaining>>(v,
                                     {{"default", std::nullopt},
                                      {"none", Remaining::none},
                                      {"minutes", Remaining::minutes},
                                      {"amount", Remaining::amount}},
                                     remaining);
}

const std::vector<Field<SpokenVoiceConfig>>& voice_fields() {
  using V = SpokenVoiceConfig;
  static const std::vector<Field<V>> fields = {
      {"id", "text", "required", "Name of the voice: `language` of who hears it.",
       [](Reader& r, const Json& v, V& voice) { read_id(r, v, voice.id); }},
      {"folder", "path", "required",
       "Folder of its WAV files, `digits/20.wav` and so on (docs/voices.md).",
       [](Reader& r, const Json& v, V& voice) { r.string(v, voice.folder, 4096); }},
      {"grammar", "en|es|zh or path with a /", "the id",
       "How its language says numbers, time and money: one that is built in, or a file.",
       [](Reader& r, const Json& v, V& voice) { r.string(v, voice.grammar, 4096); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, V&) { read_memo(r, v); }},
  };
  return fields;
}

void read_prompts(Reader& r, const Json& v, std::vector<PromptConfig>& prompts) {
  if (!v.is_object()) {
    r.fail("expected an object of end reasons and sounds");
    return;
  }
  if (v.size() > prompts_max) r.fail("more than " + std::to_string(prompts_max) + " prompts");
  for (auto item = v.begin(); item != v.end(); ++item) {
    Reader::Step step(r, item.key());
    const auto reason = reason_from_name(item.key());
    PromptConfig prompt;
    if (!reason) {
      r.fail("\"" + item.key() + "\" is no end reason such as \"AccountBalanceNotEnough\"");
    } else if (r.string(item.value(), prompt.source, 1024)) {
      prompt.reason = *reason;
      prompts.push_back(std::move(prompt));
    }
  }
}

}  // namespace tandem::config
