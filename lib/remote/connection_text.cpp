#include "remote/connection_text.hpp"

#include <cstdint>
#include <utility>

#include "base/text.hpp"

namespace tandem::remote {
namespace {

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

Result<std::map<std::string, std::string, std::less<>>> parse_connection_text(
    std::string_view text) {
  const auto bad = [](std::string what) {
    return Error{ErrorCode::invalid_argument, "connection: " + std::move(what)};
  };
  std::map<std::string, std::string, std::less<>> pairs;
  std::size_t at = 0;
  for (;;) {
    while (at < text.size() && is_blank(text[at]))
      ++at;
    if (at == text.size()) return pairs;
    std::string key;
    while (at < text.size() && ((text[at] >= 'a' && text[at] <= 'z') || text[at] == '_'))
      key += text[at++];
    while (at < text.size() && is_blank(text[at]))
      ++at;
    if (key.empty() || at == text.size() || text[at] != '=')
      return bad("key \"" + key + "\" had no value");
    ++at;
    while (at < text.size() && is_blank(text[at]))
      ++at;
    const bool is_quoted = at < text.size() && text[at] == '\'';
    if (is_quoted) ++at;
    std::string value;
    bool is_over = !is_quoted;
    while (at < text.size()) {
      if (is_quoted ? text[at] == '\'' : is_blank(text[at])) {
        is_over = true;
        at += is_quoted ? 1 : 0;
        break;
      }
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      value += text[at++];
    }
    if (!is_over) return bad("value of \"" + key + "\" had no end");
    if (!pairs.emplace(key, std::move(value)).second)
      return bad("key \"" + key + "\" was there twice");
  }
}

Result<MariadbConnection> parse_mariadb_connection(std::string_view text) {
  auto pairs = parse_connection_text(text);
  if (!pairs) return std::move(pairs).error();
  MariadbConnection connection;
  for (auto& [key, value] : *pairs) {
    if (key == "port") {
      const auto port = parse_integer<std::uint16_t>(value);
      if (!port || *port == 0)
        return Error{ErrorCode::invalid_argument, "connection: port was not in 1..65535"};
      connection.port = *port;
      continue;
    }
    std::string* const member = key == "host"       ? &connection.host
                                : key == "socket"   ? &connection.socket
                                : key == "user"     ? &connection.user
                                : key == "password" ? &connection.password
                                : key == "database" ? &connection.database
                                : key == "tls_ca"   ? &connection.tls_ca
                                                    : nullptr;
    if (member == nullptr) {
      return Error{ErrorCode::invalid_argument,
                   "connection: key \"" + key +
                       "\" was not one of host, port, socket, user, password, database, tls_ca"};
    }
    *member = std::move(value);
  }
  if (connection.database.empty())
    return Error{ErrorCode::invalid_argument, "connection: key \"database\" was missing"};
  return connection;
}

}  // namespace tandem::remote
