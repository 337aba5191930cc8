#include "cdr/cdr_json.hpp"
#include "tandem/disputes.hpp"

namespace tandem {

std::string to_json(const Dispute& dispute) {
  std::string out = "{\"id\":" + std::to_string(dispute.id);
  out += ",\"record_id\":" + std::to_string(dispute.record_id);
  const auto text = [&out](const char* key, const std::string& value) {
    out += std::string(",\"") + key + "\":";
    cdr::append_json_string(out, value);
  };
  text("day", dispute.day);
  out += ",\"at_us\":" + std::to_string(dispute.at_us);
  text("reason", dispute.reason);
  text("author", dispute.author);
  out += ",\"resolved_at_us\":" +
         (dispute.resolved_at_us == 0 ? "null" : std::to_string(dispute.resolved_at_us));
  text("resolution", dispute.resolution);
  text("resolver", dispute.resolver);
  return out + "}";
}

}  // namespace tandem
