"""A library with the part of TensorFlow Lite Micro's interface that ``network.cc`` uses, written for the tests.

Its interpreter knows no op: an output's byte k is input byte k and the number of ops that were registered, added.
"""

from __future__ import annotations

import json
from pathlib import Path

from tinyml.graph.ir import Graph

_COMMON = """#pragma once
#include <stddef.h>
#include <stdint.h>
typedef enum { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
typedef union { int32_t *i32; char *raw; uint8_t *uint8; int8_t *int8; void *data; } TfLitePtrUnion;
typedef struct TfLiteTensor { TfLitePtrUnion data; size_t bytes; } TfLiteTensor;
typedef struct TfLiteRegistration { int32_t builtin_code; } TfLiteRegistration;
"""
_SCHEMA = """#pragma once
#include <stdint.h>
namespace tflite {
struct Model { uint32_t version() const { return VERSION; } };
inline const Model *GetModel(const void *buffer) { return static_cast<const Model *>(buffer); }
}
"""
_RESOLVER = """#pragma once
#include <tensorflow/lite/c/common.h>
namespace tflite {
#define REGISTER(op) inline TfLiteRegistration Register_##op() { return TfLiteRegistration{1}; }
REGISTER(CONV_2D) REGISTER(CONV_2D_INT8) REGISTER(DEPTHWISE_CONV_2D) REGISTER(DEPTHWISE_CONV_2D_INT8)
REGISTER(FULLY_CONNECTED) REGISTER(FULLY_CONNECTED_INT8) REGISTER(AVERAGE_POOL_2D) REGISTER(AVERAGE_POOL_2D_INT8)
REGISTER(MAX_POOL_2D) REGISTER(MAX_POOL_2D_INT8) REGISTER(SOFTMAX) REGISTER(SOFTMAX_INT8)
REGISTER(MUL) REGISTER(MUL_INT8)
class MicroOpResolver { public: virtual unsigned registered() const = 0; protected: ~MicroOpResolver() = default; };
template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  unsigned registered() const override { return count_; }
#define WITH(name, op) TfLiteStatus Add##name(const TfLiteRegistration &r = Register_##op()) { return Add(r); }
  WITH(Conv2D, CONV_2D) WITH(DepthwiseConv2D, DEPTHWISE_CONV_2D) WITH(FullyConnected, FULLY_CONNECTED)
  WITH(AveragePool2D, AVERAGE_POOL_2D) WITH(MaxPool2D, MAX_POOL_2D) WITH(Softmax, SOFTMAX) WITH(Mul, MUL)
#define PLAIN(name) TfLiteStatus Add##name() { return Add(TfLiteRegistration{1}); }
  PLAIN(Add) PLAIN(Concatenation) PLAIN(Dequantize) PLAIN(ExpandDims) PLAIN(HardSwish) PLAIN(LeakyRelu) PLAIN(Logistic)
  PLAIN(Mean) PLAIN(Pad) PLAIN(PadV2) PLAIN(Quantize) PLAIN(Relu) PLAIN(Relu6) PLAIN(Reshape) PLAIN(Squeeze) PLAIN(Sub)
  PLAIN(Sum) PLAIN(Tanh)
 private:
  TfLiteStatus Add(const TfLiteRegistration &r) {
    if (count_ >= tOpCount || r.builtin_code != 1) return kTfLiteError;
    ++count_;
    return kTfLiteOk;
  }
  unsigned count_ = 0;
};
}
"""
_INTERPRETER = """#pragma once
#include <tensorflow/lite/c/common.h>
#include <tensorflow/lite/micro/micro_mutable_op_resolver.h>
#include <tensorflow/lite/schema/schema_generated.h>
#define TFLITE_SCHEMA_VERSION (3)
namespace tflite {
class MicroInterpreter {
 public:
  MicroInterpreter(const Model *, const MicroOpResolver &resolver, uint8_t *arena, size_t arena_bytes)
      : resolver_(resolver), arena_(arena), arena_bytes_(arena_bytes) {}
  ~MicroInterpreter() { arena_ = nullptr; }
  TfLiteStatus AllocateTensors() {
    if (arena_bytes_ < INPUT_BYTES + OUTPUT_BYTES || reinterpret_cast<uintptr_t>(arena_) % 16 != 0) return kTfLiteError;
    input_.data.data = arena_;
    output_.data.data = arena_ + INPUT_BYTES;
    return kTfLiteOk;
  }
  TfLiteTensor *input(size_t) { return &input_; }
  TfLiteTensor *output(size_t) { return &output_; }
  TfLiteStatus Invoke() {
    for (size_t i = 0; i < OUTPUT_BYTES; ++i) {
      output_.data.uint8[i] = static_cast<uint8_t>(input_.data.uint8[i % INPUT_BYTES] + resolver_.registered());
    }
    return kTfLiteOk;
  }
  size_t arena_used_bytes() const { return INPUT_BYTES + OUTPUT_BYTES; }
 private:
  const MicroOpResolver &resolver_;
  uint8_t *arena_;
  size_t arena_bytes_;
  TfLiteTensor input_ = {};
  TfLiteTensor output_ = {};
};
}
"""
_NEW = "#pragma once\n#include <stddef.h>\ninline void *operator new(size_t, void *where) noexcept { return where; }\n"


def write_library(folder: Path, graph: Graph, *, schema_version: int = 3) -> Path:
    """The library for a model with one input and one output, in ``folder``."""
    given, result = (graph.tensors[index].size_bytes for index in (graph.inputs[0], graph.outputs[0]))
    sizes = f"#define INPUT_BYTES {given}u\n#define OUTPUT_BYTES {result}u\n"
    files = {
        "library.json": json.dumps({"name": "Arduino_TensorFlowLite", "version": "0.0.0"}),
        "src/new": _NEW,
        "src/tensorflow/lite/c/common.h": _COMMON,
        "src/tensorflow/lite/schema/schema_generated.h": _SCHEMA.replace("VERSION", str(schema_version)),
        "src/tensorflow/lite/micro/micro_mutable_op_resolver.h": _RESOLVER,
        "src/tensorflow/lite/micro/micro_interpreter.h": _INTERPRETER.replace(
            "#define TFLITE", f"{sizes}#define TFLITE"
        ),
        "src/tensorflow/lite/micro/system_setup.cpp": "#error left out: it is for Arduino\n",
        "src/peripherals/button.cpp": "#error left out: it is for Arduino\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
