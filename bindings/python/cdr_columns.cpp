// Columns of records as buffers, and records by SQL.
#include "tandem/cdr_columns.hpp"
#include "cdr_queries.hpp"
#include "switch_object.hpp"
#include "tandem/switch.hpp"

using namespace tandem;
using namespace pybind11::literals;

namespace binding {
namespace {

/// One column: a buffer over memory that all columns of a reading share, and that lives as long as
/// one of them, or a view of one, does.
class ColumnView {
 public:
  ColumnView(CdrColumns columns, std::string name)
      : columns_(std::move(columns)), name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::size_t size() const { return columns_.rows(); }
  [[nodiscard]] bool is_text() const { return columns_.codes(name_).has_value(); }
  [[nodiscard]] py::buffer_info buffer() const {
    if (const auto codes = columns_.codes(name_)) return info(*codes);
    return info(*columns_.integers(name_));
  }
  /// What the codes mean, made once: bytes that are no UTF-8 show as U+FFFD.
  py::object texts() {
    if (!is_text()) return py::none();
    if (!texts_) {
      const auto& all = columns_.texts(name_);
      py::tuple made(all.size());
      for (std::size_t i = 0; i < all.size(); ++i)
        made[i] = text_of(all[i]);
      texts_ = std::move(made);
    }
    return *texts_;
  }
  [[nodiscard]] std::span<const std::uint8_t> nulls() const { return columns_.nulls(name_); }
  [[nodiscard]] const CdrColumns& columns() const { return columns_; }
  py::object at(py::ssize_t index) {
    const auto count = static_cast<py::ssize_t>(size());
    if (index < 0) index += count;
    if (index < 0 || index >= count) throw py::index_error("row out of range");
    const auto row = static_cast<std::size_t>(index);
    if (!nulls().empty() && nulls()[row] != 0) return py::none();
    if (const auto codes = columns_.codes(name_))
      return texts().cast<py::tuple>()[static_cast<std::size_t>((*codes)[row])];
    return py::int_((*columns_.integers(name_))[row]);
  }

 private:
  template <class Value>
  static py::buffer_info info(std::span<const Value> values) {
    // An empty buffer has an address, too.
    static const Value none{};
    const Value* const data = values.empty() ? &none : values.data();
    return {const_cast<Value*>(data),
            static_cast<py::ssize_t>(sizeof(Value)),
            py::format_descriptor<Value>::format(),
            1,
            {static_cast<py::ssize_t>(values.size())},
            {static_cast<py::ssize_t>(sizeof(Value))},
            true};
  }
  CdrColumns columns_;
  std::string name_;
  std::optional<py::tuple> texts_;
};

/// Whether there is a value, a byte a row, as a buffer of its own.
class NullsView {
 public:
  NullsView(CdrColumns columns, std::span<const std::uint8_t> nulls)
      : columns_(std::move(columns)), nulls_(nulls) {}
  [[nodiscard]] std::size_t size() const { return nulls_.size(); }
  [[nodiscard]] py::buffer_info buffer() const {
    return {const_cast<std::uint8_t*>(nulls_.data()),  1,   "?", 1,
            {static_cast<py::ssize_t>(nulls_.size())}, {1}, true};
  }

 private:
  CdrColumns columns_;  // holds what is seen
  std::span<const std::uint8_t> nulls_;
};

py::dict views_of(const CdrColumns& columns, const std::vector<std::string>& names) {
  py::dict views;
  for (const std::string& name : names)
    views[py::str(name)] = py::cast(std::make_unique<ColumnView>(columns, name));
  return views;
}

CdrColumnsRequest request_of(const CdrQuery& query, const std::vector<std::string>& names,
                             std::size_t bytes_max) {
  CdrColumnsRequest request;
  request.filter = query;
  request.columns = names;
  request.bytes_max = bytes_max;
  return request;
}

py::object object_of(const CdrSqlCell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return text_of(*text);
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return py::int_(*number);
  if (const auto* number = std::get_if<double>(&cell)) return py::float_(*number);
  return py::none();
}

py::list rows_of(const CdrSqlAnswer& answer) {
  py::list rows;
  for (const auto& cells : answer.rows) {
    py::tuple row(cells.size());
    for (std::size_t i = 0; i < cells.size(); ++i)
      row[i] = object_of(cells[i]);
    rows.append(std::move(row));
  }
  return rows;
}

void bind_columns(py::module_& m) {
  py::class_<NullsView>(m, "CdrColumnNulls", py::buffer_protocol())
      .def("__len__", &NullsView::size)
      .def_buffer(&NullsView::buffer);
  py::class_<ColumnView>(m, "CdrColumn", py::buffer_protocol())
      .def_property_readonly("name", &ColumnView::name)
      .def_property_readonly("is_text", &ColumnView::is_text)
      .def_property_readonly("texts", &ColumnView::texts)
      .def_property_readonly(
          "nulls",
          [](const ColumnView& view) -> py::object {
            if (view.nulls().empty()) return py::none();
            return py::cast(std::make_unique<NullsView>(view.columns(), view.nulls()));
          })
      .def("__len__", &ColumnView::size)
      .def("__getitem__", &ColumnView::at, "row"_a)
      .def_buffer(&ColumnView::buffer);
  m.def("cdr_column_names", [] {
    std::vector<std::string> names(cdr_column_names().begin(), cdr_column_names().end());
    return names;
  });
  m.def(
      "cdr_columns",
      [](const ConfigReading& reading, const std::vector<std::string>& names, const CdrQuery& query,
         std::size_t bytes_max) {
        const SwitchConfig config = usable(reading);
        const CdrColumnsRequest request = request_of(query, names, bytes_max);
        return views_of(take(unlocked([&] { return cdr_columns(config, request); })), names);
      },
      "config"_a, "columns"_a, "query"_a, "bytes_max"_a = CdrColumnsRequest().bytes_max);
  m.def(
      "cdr_folder_columns",
      [](const std::string& folder, const std::vector<std::string>& names, const CdrQuery& query,
         const std::string& database, std::size_t bytes_max, std::int64_t days_max,
         std::uint64_t rows_max, std::int64_t time_max_ms) {
        const CdrColumnsRequest request = request_of(query, names, bytes_max);
        const CdrGuards guards = guards_of(days_max, rows_max, time_max_ms);
        return views_of(take(unlocked([&] {
                          return CdrColumns::read(CdrPlace(folder, database), request, guards);
                        })),
                        names);
      },
      "folder"_a, "columns"_a, "query"_a, "database"_a = "",
      "bytes_max"_a = CdrColumnsRequest().bytes_max, "days_max"_a = 0,
      "rows_max"_a = CdrGuards().rows_max, "time_max_ms"_a = CdrGuards().time_max_ms);
}

}  // namespace

void bind_cdr_columns(py::module_& m) {
  bind_columns(m);
  py::class_<CdrSqlAnswer>(m, "CdrSqlAnswer")
      .def_readonly("columns", &CdrSqlAnswer::columns)
      .def_property_readonly("rows", &rows_of)
      .def_readonly("is_cut", &CdrSqlAnswer::is_cut)
      .def("to_json_lines", [](const CdrSqlAnswer& a) { return text_of(to_json_lines(a)); })
      .def("to_csv", [](const CdrSqlAnswer& a) { return text_of(to_csv(a)); })
      .def("to_table", [](const CdrSqlAnswer& a) { return text_of(to_table(a)); });
  m.def(
      "cdr_sql",
      [](const ConfigReading& reading, const std::string& sql, std::size_t limit) {
        const SwitchConfig config = usable(reading);
        return take(unlocked([&] { return cdr_sql(config, sql, limit); }));
      },
      "config"_a, "sql"_a, "limit"_a = CdrSqlLimits().rows_max);
  m.def(
      "cdr_folder_sql",
      [](const std::string& folder, const std::string& sql, std::size_t limit,
         const std::string& database, std::int64_t days_max, std::uint64_t rows_max,
         std::int64_t time_max_ms) {
        CdrSqlLimits limits;
        limits.rows_max = limit;
        limits.guards = guards_of(days_max, rows_max, time_max_ms);
        return take(unlocked([&] { return cdr_sql(CdrPlace(folder, database), sql, limits); }));
      },
      "folder"_a, "sql"_a, "limit"_a = CdrSqlLimits().rows_max, "database"_a = "", "days_max"_a = 0,
      "rows_max"_a = CdrGuards().rows_max, "time_max_ms"_a = CdrGuards().time_max_ms);
}

}  // namespace binding
