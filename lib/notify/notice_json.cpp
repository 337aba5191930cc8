#include "notify/notice_json.hpp"

#include <nlohmann/json.hpp>

#include "base/json_depth.hpp"

namespace tandem::notify {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json object_or_null(std::string_view bytes) {
  if (too_deep_at(bytes)) return nullptr;
  Json json = Json::parse(bytes.begin(), bytes.end(), nullptr, false);
  return json.is_object() ? json : Json(nullptr);
}

}  // namespace

std::string phone_online_json(const PhoneOnline& notice) {
  Json json = {{"e164", notice.number},
               {"dids", notice.dids},
               {"online", notice.is_online},
               {"eventTime", notice.at_us / 1'000},
               {"localIp", ""},
               {"localPort", notice.local.port},
               {"remoteIp", ""},
               {"productId", notice.product}};
  if (notice.local.port != 0) json["localIp"] = notice.local.ip.to_string();
  if (notice.remote.port != 0) json["remoteIp"] = notice.remote.ip.to_string();
  return text(json);
}

std::optional<std::int64_t> return_code(std::string_view answer) {
  const Json json = object_or_null(answer);
  if (!json.is_object()) return std::nullopt;
  const auto code = json.find("retCode");
  if (code == json.end() || !code->is_number_integer()) return std::nullopt;
  return code->get<std::int64_t>();
}

std::string dead_letter_json(const DeadLetter& letter) {
  return text({{"at_us", letter.at_us},
               {"reason", letter.reason},
               {"notice", object_or_null(letter.body)}});
}

}  // namespace tandem::notify

namespace tandem {

std::string to_json(const WebhookState& state) {
  return notify::text({{"configured", state.is_configured},
                       {"waiting", state.waiting},
                       {"delivered", state.delivered},
                       {"failures", state.failures},
                       {"refused", state.refused},
                       {"expired", state.expired},
                       {"dropped", state.dropped},
                       {"dead_letters_lost", state.dead_letters_lost},
                       {"snapshot_left", state.snapshot_left},
                       {"failing", state.is_failing},
                       {"last_error", state.last_error}});
}

}  // namespace tandem
