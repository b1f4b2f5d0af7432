/** A tag that may be carried over to a result: its name as libexif writes it. */
type Tags = Readonly<Record<number, string>>;

interface Allowed {
  readonly IFD0: Tags;
  /** The Exif directory, which sharp calls IFD2. */
  readonly IFD2: Tags;
  /** The GPS directory. */
  readonly IFD3: Tags;
}

/**
 * What STRIP_PRIVATE leaves (Exif 3.0, tables 4 and 7): camera, lens, exposure, dates, author and description.
 * An allow-list, so that places, serial numbers, owners' names, maker notes and tags nobody thought of stay out.
 */
export const PUBLIC_TAGS: Allowed = {
  IFD0: {
    0x010e: 'ImageDescription',
    0x010f: 'Make',
    0x0110: 'Model',
    0x0131: 'Software',
    0x0132: 'DateTime',
    0x013b: 'Artist',
    0x8298: 'Copyright',
  },
  IFD2: {
    0x829a: 'ExposureTime',
    0x829d: 'FNumber',
    0x8822: 'ExposureProgram',
    0x8827: 'ISOSpeedRatings',
    0x9003: 'DateTimeOriginal',
    0x9004: 'DateTimeDigitized',
    0x9201: 'ShutterSpeedValue',
    0x9202: 'ApertureValue',
    0x9203: 'BrightnessValue',
    0x9204: 'ExposureBiasValue',
    0x9205: 'MaxApertureValue',
    0x9206: 'SubjectDistance',
    0x9207: 'MeteringMode',
    0x9208: 'LightSource',
    0x9209: 'Flash',
    0x920a: 'FocalLength',
    0x9290: 'SubSecTime',
    0x9291: 'SubSecTimeOriginal',
    0x9292: 'SubSecTimeDigitized',
    0xa402: 'ExposureMode',
    0xa403: 'WhiteBalance',
    0xa404: 'DigitalZoomRatio',
    0xa405: 'FocalLengthIn35mmFilm',
    0xa406: 'SceneCaptureType',
    0xa432: 'LensSpecification',
    0xa433: 'LensMake',
    0xa434: 'LensModel',
  },
  IFD3: {},
};

/** What KEEP carries over besides: the place, serial numbers and names. */
export const ALL_TAGS: Allowed = {
  IFD0: { ...PUBLIC_TAGS.IFD0, 0x010d: 'DocumentName', 0x013c: 'HostComputer' },
  IFD2: {
    ...PUBLIC_TAGS.IFD2,
    0xa420: 'ImageUniqueID',
    0xa430: 'CameraOwnerName',
    0xa431: 'BodySerialNumber',
    0xa435: 'LensSerialNumber',
  },
  IFD3: {
    0x0001: 'GPSLatitudeRef',
    0x0002: 'GPSLatitude',
    0x0003: 'GPSLongitudeRef',
    0x0004: 'GPSLongitude',
    0x0005: 'GPSAltitudeRef',
    0x0006: 'GPSAltitude',
    0x0007: 'GPSTimeStamp',
    0x000c: 'GPSSpeedRef',
    0x000d: 'GPSSpeed',
    0x000e: 'GPSTrackRef',
    0x000f: 'GPSTrack',
    0x0010: 'GPSImgDirectionRef',
    0x0011: 'GPSImgDirection',
    0x0012: 'GPSMapDatum',
    0x001d: 'GPSDateStamp',
  },
};
