#include "sip/portability.hpp"

#include "sip/message.hpp"

namespace tandem::sip {
namespace {

/// The parameter lists of a telephone URI, that of the number first.
struct NumberParams {
  std::string_view of_number, of_uri;

  explicit NumberParams(std::string_view text) noexcept {
    Uri uri;
    if (!parse_uri(text, uri)) return;
    if (equals_ignoring_case(uri.scheme, "tel")) {
      const std::size_t colon = text.find(':');
      of_number = params_of(text.substr(colon + 1));
    } else {
      of_number = params_of(uri.user);
      of_uri = uri.params;
    }
  }
  [[nodiscard]] std::string_view find(std::string_view name, bool& is_there) const noexcept {
    is_there = false;
    const std::string_view value = find_param(of_number, name, &is_there);
    return is_there ? value : find_param(of_uri, name, &is_there);
  }

 private:
  static std::string_view params_of(std::string_view number) noexcept {
    const std::size_t first = number.find(';');
    return first == std::string_view::npos ? std::string_view{} : number.substr(first);
  }
};

}  // namespace

Portability portability(std::string_view uri) noexcept {
  const NumberParams params(uri);
  Portability found;
  bool has_number = false;
  (void)params.find("npdi", found.is_dipped);
  found.routing_number = params.find("rn", has_number);
  return found;
}

std::string_view number_param(std::string_view uri, std::string_view name) noexcept {
  if (name.empty()) return {};
  bool is_there = false;
  return NumberParams(uri).find(name, is_there);
}

bool append_portability(const Portability& portability, std::string& out) {
  if (portability.is_dipped) out += ";npdi";
  if (portability.routing_number.empty()) return portability.is_dipped;
  out += ";rn=";
  out += portability.routing_number;
  return true;
}

}  // namespace tandem::sip
