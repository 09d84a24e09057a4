/**
 * What `lvs` of lvm2 2.03.16 prints of a volume group without device-mapper, whose metadata were written by hand (vgcfgrestore --force): what
 * is not known is empty there, or `unknown`.
 */
export const MIB_EXTENTS_REPORT = `
  {
      "report": [
          {
              "lv": [
                  {"lv_name":"kvi.a.b.c", "lv_size":"52428800", "origin":"", "lv_tags":"", "data_percent":"", "metadata_percent":"", "lv_time":"1764000000", "lv_device_open":"unknown", "segtype":"thin", "pool_lv":"pool", "zero":"zero", "lv_when_full":"", "vg_extent_size":"1048576"},
                  {"lv_name":"kvs.a.b", "lv_size":"52428800", "origin":"kvi.a.b.c", "lv_tags":"", "data_percent":"", "metadata_percent":"", "lv_time":"1764000001", "lv_device_open":"unknown", "segtype":"thin", "pool_lv":"pool", "zero":"zero", "lv_when_full":"", "vg_extent_size":"1048576"},
                  {"lv_name":"pool", "lv_size":"104857600", "origin":"", "lv_tags":"kvorum.pool.11111111-1111-4111-8111-111111111111", "data_percent":"", "metadata_percent":"", "lv_time":"1764000000", "lv_device_open":"unknown", "segtype":"thin-pool", "pool_lv":"", "zero":"zero", "lv_when_full":"queue", "vg_extent_size":"1048576"}
              ]
          }
      ]
  }
`;
