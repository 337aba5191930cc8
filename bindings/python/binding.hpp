// What the files of the binding share: how values cross, and how errors become exceptions.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/audio_playlist.hpp"
#include "tandem/cdr.hpp"
#include "tandem/error.hpp"
#include "tandem/values.hpp"

namespace py = pybind11;

namespace binding {

/// Throws what the module translates to tandem.Error.
struct Failure {
  tandem::Error error;
};

template <class T>
T take(tandem::Result<T> result) {
  if (!result) throw Failure{std::move(result).error()};
  return std::move(result).value();
}
inline void take(tandem::Result<void> result) {
  if (!result) throw Failure{std::move(result).error()};
}

/// Lets go of the interpreter lock around `body`, whose result must not be a Python object.
template <class Body>
auto unlocked(Body&& body) {
  const py::gil_scoped_release off;
  return std::forward<Body>(body)();
}

/// For classes whose destruction joins threads or frees much: the lock is given up for it.
template <class T>
struct UnlockedDelete {
  void operator()(T* object) const {
    const py::gil_scoped_release off;
    delete object;
  }
};
template <class T>
using Held = std::unique_ptr<T, UnlockedDelete<T>>;

/// A sound, or several that are played one after the other.
using Sounds = std::variant<std::string, std::vector<std::string>>;
inline tandem::Result<tandem::AudioPlaylist> load_sounds(const Sounds& sources) {
  const auto* const one = std::get_if<std::string>(&sources);
  return one != nullptr ? tandem::AudioPlaylist::load({*one})
                        : tandem::AudioPlaylist::load(std::get<std::vector<std::string>>(sources));
}

/// A sink that is any Python object with write(cdr) and flush(). Lives on the thread of its runner,
/// which is no call worker; takes the interpreter lock for each record and to let go of the object.
std::unique_ptr<tandem::CdrSink> make_python_sink(py::object sink);
/// A list of dicts.
py::list sink_states(const std::vector<tandem::CdrSinkState>& sinks);

/// Closes what still runs when the interpreter ends: a thread that asks for the interpreter lock
/// after that would end the process. Touched with the lock held only.
class Live {
 public:
  virtual void close_at_exit() = 0;
  static void close_all();

 protected:
  Live();
  virtual ~Live();
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;
};

void bind_routing(py::module_& m);
void bind_rating(py::module_& m);
void bind_packages(py::module_& m);  // after bind_rating()
void bind_cdr(py::module_& m);
void bind_cdr_queries(py::module_& m);  // after bind_cdr()
void bind_cdr_columns(py::module_& m);  // after bind_cdr_queries()
void bind_media(py::module_& m);
void bind_switch(py::module_& m);
void bind_sim(py::module_& m);

}  // namespace binding

namespace pybind11::detail {

/// Money is decimal.Decimal in Python. Taken: Decimal, int and str, never float.
template <>
struct type_caster<tandem::Amount> {
  PYBIND11_TYPE_CASTER(tandem::Amount, const_name("decimal.Decimal"));

  bool load(handle source, bool) {
    std::string text;
    if (isinstance<str>(source)) {
      text = source.cast<std::string>();
    } else if (PyLong_Check(source.ptr()) && !PyBool_Check(source.ptr())) {
      text = str(source).cast<std::string>();
    } else if (isinstance(source, module_::import("decimal").attr("Decimal"))) {
      text = source.attr("__format__")("f").cast<std::string>();  // no exponent
    } else {
      return false;
    }
    value = binding::take(tandem::Amount::parse(text));
    return true;
  }
  static handle cast(const tandem::Amount& amount, return_value_policy, handle) {
    return module_::import("decimal").attr("Decimal")(amount.to_string()).release();
  }
};

/// An address with a port is text: "192.0.2.1:5060".
template <>
struct type_caster<tandem::SocketAddress> {
  PYBIND11_TYPE_CASTER(tandem::SocketAddress, const_name("str"));

  bool load(handle source, bool) {
    if (!isinstance<str>(source)) return false;
    value = binding::take(tandem::SocketAddress::parse(source.cast<std::string>()));
    return true;
  }
  static handle cast(const tandem::SocketAddress& address, return_value_policy, handle) {
    return str(address.port == 0 && address.ip == tandem::IpAddress() ? std::string()
                                                                      : address.to_string())
        .release();
  }
};

}  // namespace pybind11::detail
