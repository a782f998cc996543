// Any text as config.json or tokenizer.json (the first byte says which): what is accepted gives
// metadata that the GGUF reader and, of a vocabulary, the tokenizer read or refuse.
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "engine/tokenizer.h"
#include "models/hf_config.h"
#include "models/hf_tokenizer.h"
#include "models/json_file.h"

enum { N_ROWS = 64 };

static void open_metadata(const GgufWriter *writer, bool with_tokenizer)
{
    StrBuf file = {0};
    Error err = {0};
    const uint32_t version = 3;
    const uint64_t counts[2] = {0, writer->n_values};
    strbuf_append(&file, STR("GGUF"));
    strbuf_append(&file, (Str){(const char *)&version, sizeof version});
    strbuf_append(&file, (Str){(const char *)counts, sizeof counts});
    strbuf_append(&file, strbuf_str(&writer->metadata));
    Gguf *gguf = gguf_open_image(file.ptr, file.len, &err);
    assert(gguf); // the writer's own pairs are sound
    if (with_tokenizer) {
        tokenizer_close(tokenizer_open(gguf, &err));
    } else {
        Shape shape;
        shape_read(gguf, &shape, &err);
    }
    gguf_close(gguf);
    strbuf_deinit(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (n_bytes < 1) return 0;
    Error err = {0};
    GgufWriter writer = {0};
    bool is_tokenizer = data[0] & 1;
    StrBuf text = {0}; // with the NUL that files have
    strbuf_append(&text, (Str){(const char *)data + 1, n_bytes - 1});
    struct json_object *object = json_parse_object(strbuf_str(&text), "the input", &err);
    assert((object == NULL) == (err.code != ERROR_NONE));
    if (object && is_tokenizer) {
        struct json_object *settings = json_get(object, "settings");
        const char *pre = data[0] & 2 ? "qwen2" : NULL;
        if (hf_tokenizer_put_objects(object, settings, N_ROWS, pre, &writer, &err))
            open_metadata(&writer, true);
    } else if (object) {
        HfConfig config;
        if (hf_config_read(object, &config, &err)) {
            hf_config_put(&config, &writer);
            open_metadata(&writer, false);
        }
    }
    json_object_put(object);
    strbuf_deinit(&writer.metadata);
    strbuf_deinit(&text);
    return 0;
}
