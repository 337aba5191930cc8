// Provisioned objects as CSV; what a cell means goes by the type that the reference names.
#include <algorithm>

#include "base/csv.hpp"
#include "switch/gateway_lists.hpp"
#include "switch/provision_kinds_json.hpp"
#include "tandem/provision.hpp"

namespace tandem {

namespace {

using config::Json;

using Columns = std::vector<std::pair<std::string, std::string>>;  // key and type

/// Those of one list, or of "gateways" with `kind`. Empty: there is no such list.
Columns columns_of(std::string_view name) {
  Columns columns;
  if (name != "gateways") {
    const config::ProvisionKind* kind = config::find_provision_kind(name);
    return kind == nullptr ? columns : kind->columns();
  }
  columns.emplace_back("kind", "customer|vendor");
  for (const GatewayList& list : gateway_lists) {
    for (auto& column : config::find_provision_kind(list.list)->columns()) {
      if (std::find(columns.begin(), columns.end(), column) == columns.end())
        columns.push_back(std::move(column));
    }
  }
  return columns;
}

/// The list of an object, whose `kind` is taken out of it. "": the kind is none.
std::string take_list(std::string_view name, Json& object) {
  if (name != "gateways") return std::string(name);
  const Json kind = object.value("kind", Json());
  object.erase("kind");
  for (const GatewayList& list : gateway_lists) {
    if (kind == list.kind) return list.list;
  }
  return {};
}

bool is_list(const std::string& type) {
  return type.starts_with("array") || type.starts_with("list");
}

Error at_cell(std::size_t row, const std::string& column, const std::string& message) {
  return {ErrorCode::invalid_argument, "row " + std::to_string(row) + ", column \"" +
                                           config::printable(column) + "\": " + message};
}

/// "a b,c" as a list of texts; readers of numbers take texts too.
Json list_of(const std::string& cell) {
  Json list = Json::array();
  for (std::size_t from = 0; from < cell.size();) {
    const std::size_t to = std::min(cell.find_first_of(" ,;", from), cell.size());
    if (to > from) list.push_back(cell.substr(from, to - from));
    from = to + 1;
  }
  return list;
}

/// Whether a cell may hold JSON: where a text is wanted, a bracket is one.
bool takes_json(const std::string& type) {
  return type.find_first_of("[{") != std::string::npos ||
         type.find("object") != std::string::npos || is_list(type);
}

bool looks_like_json(std::string_view cell) {
  return cell.starts_with('{') || cell.starts_with('[');
}

Result<Json> value_of(const std::string& cell, const std::string& type) {
  if (!is_utf8(cell)) return Error{ErrorCode::invalid_argument, "cell was not UTF-8"};
  if (takes_json(type) && looks_like_json(cell)) return config::parse_json(cell);
  if (is_list(type)) return list_of(cell);
  return Json(cell);
}

/// Whether an item can stand among others with blanks between them.
bool is_plain_item(const Json& item) {
  if (!item.is_string()) return item.is_number_integer();
  const std::string text = item.get<std::string>();
  return !text.empty() && !looks_like_json(text) && text.find_first_of(" ,;") == std::string::npos;
}

std::string cell_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return value.dump();
  const bool is_plain =
      value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), is_plain_item);
  if (!is_plain) return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string cell;
  for (const Json& item : value)
    cell += (cell.empty() ? "" : " ") + cell_of(item);
  return cell;
}

}  // namespace

Result<std::vector<ProvisionedObject>> objects_from_csv(std::string_view kind_name,
                                                        std::string_view csv,
                                                        std::vector<std::size_t>* rows) {
  const Columns columns = columns_of(kind_name);
  if (columns.empty())
    return Error{ErrorCode::not_found, "no list \"" + std::string(kind_name) + "\""};
  CsvReader reader(csv);
  std::vector<std::string> header;
  auto read = reader.next_row(header);
  if (!read) return Error{read.error().code, "row 1: " + read.error().message};
  if (!*read) return Error{ErrorCode::invalid_argument, "row 1: header line was missing"};
  std::vector<std::string> types;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const auto known = std::find_if(columns.begin(), columns.end(),
                                    [&](const auto& column) { return column.first == header[i]; });
    if (known == columns.end()) return at_cell(1, header[i], "column was unknown");
    if (std::find(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(i), header[i]) !=
        header.begin() + static_cast<std::ptrdiff_t>(i))
      return at_cell(1, header[i], "column was there twice");
    types.push_back(known->second);
  }
  const config::ProvisionKind* kind = config::find_provision_kind(kind_name);
  const bool needs_id = kind == nullptr || kind->needs_id;
  if (needs_id && std::find(header.begin(), header.end(), "id") == header.end())
    return at_cell(1, "id", "column was missing");

  std::vector<ProvisionedObject> objects;
  std::vector<std::string> cells;
  for (std::size_t row = 2;; ++row) {
    read = reader.next_row(cells);
    if (!read)
      return Error{read.error().code, "row " + std::to_string(row) + ": " + read.error().message};
    if (!*read) break;
    if (cells.size() == 1 && cells[0].empty()) continue;  // an empty line
    if (cells.size() != header.size()) {
      return Error{ErrorCode::invalid_argument,
                   "row " + std::to_string(row) + ": row had " + std::to_string(cells.size()) +
                       " cells, the header " + std::to_string(header.size())};
    }
    Json object = Json::object();
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].empty()) continue;
      auto value = value_of(cells[i], types[i]);
      if (!value) return at_cell(row, header[i], value.error().message);
      object[header[i]] = std::move(*value);
    }
    const auto id = object.find("id");
    if (needs_id && id == object.end()) return at_cell(row, "id", "cell was empty");
    const std::string id_text = id == object.end() ? std::string() : id->get<std::string>();
    std::string list = take_list(kind_name, object);
    if (list.empty()) return at_cell(row, "kind", "it is neither customer nor vendor");
    objects.push_back({std::move(list), id_text,
                       object.dump(-1, ' ', false, Json::error_handler_t::replace), std::nullopt});
    if (rows != nullptr) rows->push_back(row);
  }
  return objects;
}

std::string objects_to_csv(std::string_view kind_name,
                           const std::vector<ProvisionedObject>& objects) {
  std::vector<Json> values;
  for (const ProvisionedObject& object : objects) {
    values.push_back(config::json_or_null(object.json));
    for (const GatewayList& list : gateway_lists) {
      if (kind_name == "gateways" && object.kind == list.list && values.back().is_object())
        values.back()["kind"] = list.kind;
    }
  }
  std::vector<std::string> header;
  for (const auto& [key, type] : columns_of(kind_name)) {
    if (key == "id" || std::any_of(values.begin(), values.end(), [&name = key](const Json& value) {
          return value.is_object() && value.contains(name);
        }))
      header.push_back(key);
  }
  std::string text;
  for (const std::string& key : header)
    text += (text.empty() ? "" : ",") + key;
  text += '\n';
  for (const Json& value : values) {
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (i != 0) text += ',';
      if (!value.is_object()) continue;
      const auto found = value.find(header[i]);
      if (found != value.end() && !found->is_null()) append_csv_cell(text, cell_of(*found));
    }
    text += '\n';
  }
  return text;
}

}  // namespace tandem
